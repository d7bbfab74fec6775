"""Symbol tables: what the symbols of an equation mean, with the rows of the ledger behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from car_relapse.errors import ParameterError, is_list, require_finite, require_instance
from car_relapse.parameters import Parameter, parameter

__all__ = ["Symbol", "SymbolTable", "symbol_table"]

#: The ledger's page, as a notebook of the book reaches it.
_LEDGER_PAGE = "../book/parameters.md"
_HEAD = ("symbol", "meaning", "value", "unit", "certainty", "source")
_UNITS = {"dimensionless": "none", "l": "litres", "fold": "fold"}
_NOTHING = "\N{EN DASH}"
_REMEDY = "give computed={'s': ('chance that a line never dies out', '$1 - d/b$', 'none')}"


def number_text(value: float) -> str:
    r"""Return a number of the ledger as text of a page, with all the digits that the ledger gives.

    >>> number_text(0.105), number_text(24000.0), number_text(1.147e-12), number_text(1e11)
    ('0.105', '24,000', '$1.147\\times10^{-12}$', '$10^{11}$')
    """
    if value and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.5e}".split("e")
        factor = mantissa.rstrip("0").rstrip(".")
        power = f"10^{{{int(exponent)}}}"
        return f"${power}$" if factor == "1" else f"${factor}\\times{power}$"
    return f"{value:,.6g}".replace("-", "\N{MINUS SIGN}")


def unit_text(unit: str) -> str:
    """Return a unit of the ledger in words.

    >>> unit_text("1/day"), unit_text("molecules/cell"), unit_text("dimensionless")
    ('per day', 'molecules per cell', 'none')
    """
    if unit in _UNITS:
        return _UNITS[unit]
    above, _, below = unit.partition("/")
    above = "" if above == "1" else _UNITS.get(above, above)
    return f"{above} per {below}".strip() if below else above


def anchor(key: str) -> str:
    """Return the anchor of a ledger row on the ledger's page."""
    return "par-" + re.sub(r"[^a-z0-9]+", "-", key)


def plain(text: str) -> str:
    """Return text whose characters mean nothing to a page's parser."""
    return "".join(f"\\{c}" if c in "*_`[]<>{}$\\|~#@" else c for c in text)


@dataclass(frozen=True, kw_only=True)
class Symbol:
    """One row of a symbol table."""

    symbol: str
    """Symbol in LaTeX, without dollar signs."""
    meaning: str
    """What it is, in words."""
    value: float | str
    """Its value in `unit`, or the formula by which it is computed, with dollar signs."""
    unit: str
    """Unit of the value, written as in the ledger: ``1/day``."""
    certainty: str
    """``measured``, ``fitted``, ``assumed`` or ``computed``."""
    doi: str = ""
    """DOI of the source; empty for what this book assumes or computes."""
    key: str = ""
    """Key of the ledger's row; empty for what is computed."""

    def _plain_cells(self) -> tuple[str, ...]:
        """Return the row for a terminal."""
        number = isinstance(self.value, int | float)
        value = f"{self.value:,.6g}" if number else str(self.value).replace("$", "")
        unit = unit_text(self.unit)
        return (self.symbol, self.meaning, value, unit, self.certainty, self.doi)

    def _markdown_cells(self) -> tuple[str, ...]:
        """Return the row for a page: a link to the ledger's row, and one to the source."""
        meaning = plain(self.meaning)
        if self.key:
            meaning = f"[{meaning}]({_LEDGER_PAGE}#{anchor(self.key)})"
        value = self.value if isinstance(self.value, str) else number_text(self.value)
        source = f"[doi:{plain(self.doi)}](https://doi.org/{self.doi})" if self.doi else _NOTHING
        # A bar, even inside a formula, would end the cell.
        cells = (f"${self.symbol}$", meaning, value, plain(unit_text(self.unit)), self.certainty)
        return (*(re.sub(r"(?<!\\)\|", r"\\vert ", cell) for cell in cells), source)


@dataclass(frozen=True)
class SymbolTable:
    """What symbols mean, as a table that a notebook and a page of the book can show."""

    rows: tuple[Symbol, ...]
    """The symbols, in the order of the table."""

    def __repr__(self) -> str:
        rows = [_HEAD, *(row._plain_cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)

    def _repr_markdown_(self) -> str:
        head = [cell.capitalize() for cell in _HEAD]
        rows = [head, ["---"] * len(head), *(row._markdown_cells() for row in self.rows)]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def symbol_table(
    *keys: str, computed: dict[str, tuple[str, float | str, str]] | None = None
) -> SymbolTable:
    r"""Return a table of symbols: rows of the ledger, and quantities computed from them.

    Parameters
    ----------
    keys : str
        Keys of the ledger, such as ``leukaemia.birth_rate``.
    computed : dict of str to (str, float or str, str), optional
        For each symbol that follows from others, in LaTeX without dollar signs: what it means,
        its value or its formula (with dollar signs), and its unit (``1/day``, ``dimensionless``).

    Returns
    -------
    SymbolTable
        Shows itself in a notebook, with a link from each row to the ledger's page.

    Raises
    ------
    LedgerError
        When a key is unknown.
    ParameterError
        When no symbol is asked for, one stands twice, or `computed` is no such dict.

    Examples
    --------
    >>> symbol_table("stein.memory_rate", computed={"I": ("odds against one line", 5.0, "none")})
    symbol  meaning                   value   unit     certainty  source
    \beta   rate of the slow decline  0.0032  per day  fitted     10.1002/psp4.12388
    I       odds against one line     5       none     computed
    """
    rows = [_of_ledger(parameter(key)) for key in keys]
    given = {} if computed is None else require_instance("computed", computed, dict, _REMEDY)
    rows += [_of_words(symbol, words) for symbol, words in given.items()]
    if not rows:
        raise ParameterError(
            "symbol_table got no symbol; it needs one at least; name keys of the ledger, such as "
            "'leukaemia.birth_rate'"
        )
    symbols = [row.symbol for row in rows]
    if twice := next((symbol for symbol in symbols if symbols.count(symbol) > 1), ""):
        raise ParameterError(
            f"symbol {twice!r} stands twice; one symbol has one meaning; leave one row out"
        )
    return SymbolTable(tuple(rows))


def _of_ledger(row: Parameter) -> Symbol:
    return Symbol(
        symbol=row.symbol, meaning=row.name, value=row.value, unit=row.unit,
        certainty=row.certainty, doi=row.doi, key=row.key,
    )  # fmt: skip


def _of_words(symbol: str, words: tuple[str, float | str, str]) -> Symbol:
    shaped = is_list(words) and len(words) == len(("meaning", "value", "unit"))
    if not isinstance(symbol, str) or not shaped or not isinstance(words[0], str):
        raise ParameterError(
            f"computed holds {symbol!r}: {words!r}; each entry is symbol: (meaning, value or "
            f"formula, unit); {_REMEDY}"
        )
    meaning, value, unit = words
    require_instance(f"the unit of {symbol}", unit, str, _REMEDY)
    if not isinstance(value, str):
        value = float(require_finite(f"the value of {symbol}", value, _REMEDY, scalar=True))
    return Symbol(symbol=symbol, meaning=meaning, value=value, unit=unit, certainty="computed")
