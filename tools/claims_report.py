"""Run the test of every claim of the book, into `_build/verification/claims.json`.

    python tools/claims_report.py

`make book` calls this before it builds the site, so that the claims page shows what was found
with the very sources of the site. A claim that is refuted, has no test, or stands twice is a
failure.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from stated_claims import Stated, slug, stated

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.claims import registry  # noqa: E402  # the tests are beside the tools

REPORT = ROOT / "_build" / "verification" / "claims.json"
PROCESSES = 2


def file_of(page: str) -> str:
    """Name the file that tests the claims of a page.

    >>> file_of("book/two-ways")
    'test_two_ways.py'
    """
    return f"test_{slug(page).replace('-', '_')}.py"


def mismatches(found: Iterable[Stated], tested: Mapping[str, registry.Claim]) -> list[str]:
    """Say which claims have no test, which tests have no claim, and which stand twice."""
    found = list(found)
    pages = {claim.id: claim.page for claim in found}
    counts = Counter(claim.id for claim in found)
    twice = [f"{id} stands {count} times" for id, count in counts.items() if count > 1]
    untested = [
        f"{id} of {page} has no test in tests/claims/{file_of(page)}"
        for id, page in pages.items()
        if id not in tested
    ]
    unstated = [
        f"{claim.test} in {claim.file.name} tests {id}, which no page states"
        for id, claim in tested.items()
        if id not in pages
    ]
    misplaced = [
        f"{id} of {pages[id]} is tested in {claim.file.name}, not in {file_of(pages[id])}"
        for id, claim in tested.items()
        if id in pages and claim.file.name != file_of(pages[id])
    ]
    return [*twice, *untested, *unstated, *misplaced]


def check(id: str) -> registry.Result:
    """Give the result of the test of one claim."""
    return registry.checked(registry.CLAIMS[id])


def entry(claim: Stated, test: registry.Claim, result: registry.Result) -> dict[str, Any]:
    """Return what the page shows of one claim."""
    return {
        "id": claim.id,
        "page": claim.page,
        "text": claim.text,
        "kind": test.kind,
        "test": test.test,
        "file": f"tests/claims/{test.file.name}",
        "passed": result.passed,
        "message": result.message,
        "held": result.held,
        "draws": result.draws,
        "share": result.share,
        "standard_error": result.standard_error,
        "at_least": test.at_least,
        "varies": list(test.varies),
    }


def report(
    found: Iterable[Stated],
    tested: Mapping[str, registry.Claim],
    run: Callable[..., Iterable[registry.Result]] = map,
) -> dict[str, Any]:
    """Run every test and return the report, with the numbers that the text quotes."""
    found = list(found)
    unique = {claim.id: claim for claim in found if claim.id in tested}
    entries = [
        entry(claim, tested[id], result)
        for (id, claim), result in zip(unique.items(), run(check, unique), strict=True)
    ]
    wrong = mismatches(found, tested)
    wrong += [f"{e['id']} is refuted: {e['message']}" for e in entries if not e["passed"]]
    counts = {
        "total": len(entries),
        "data": sum(e["kind"] == "data" for e in entries),
        "model": sum(e["kind"] == "model" for e in entries),
        "passed": sum(e["passed"] for e in entries),
        "draws": registry.DRAWS,
    }
    numbers = {key: {"value": count, "text": str(count)} for key, count in counts.items()}
    return {"numbers": numbers, "problems": wrong, "claims": entries}


def main() -> int:
    """Write the report; return 1 when something is wrong, so that no page hides it."""
    tested = registry.load()
    with ProcessPoolExecutor(PROCESSES, initializer=registry.load) as pool:
        content = report(stated(ROOT), tested, pool.map)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    for problem in content["problems"]:
        print(problem, file=sys.stderr)
    print(f"{len(content['claims'])} claims, {len(content['problems'])} problems")
    return 1 if content["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
