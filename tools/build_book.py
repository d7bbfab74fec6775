"""Build the site into `_build/html` from `_config.yml`, `_toc.yml` and what they name.

`_config.yml` holds what a person decides. This script writes `_build/_config.yml`, which adds what
follows from it: the addresses that depend on `repository.url`, and a cache of notebook runs that
is keyed on the package's own source, which the cache itself does not look at.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
HTML = BUILD / "html"


def read_config() -> dict:
    """Read the book's settings, as a person wrote them."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def pages_address(repository_url: str) -> str:
    """Say where GitHub Pages serves the book of a repository.

    >>> pages_address("https://github.com/someone/why-car-t-relapses")
    'https://someone.github.io/why-car-t-relapses/'
    >>> pages_address("https://github.com/Someone/someone.github.io/")
    'https://someone.github.io/'
    """
    owner, name = urlsplit(repository_url).path.strip("/").split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def execution_key() -> str:
    """Hash all that a notebook's outputs depend on besides the notebook itself."""
    digest = hashlib.sha256()
    sources = (path for path in (ROOT / "src").rglob("*") if "__pycache__" not in path.parts)
    pins = (ROOT / "requirements.txt", *(ROOT / "requirements").glob("*.txt"))
    for path in sorted(path for path in (*sources, *pins) if path.is_file()):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def checked_runs() -> Path:
    """Name the folder of the runs that nbval compared, made with this very package."""
    return BUILD / "checked-runs" / execution_key()


def forget_pages_of_other_extensions() -> None:
    """Drop the parsed pages when the extensions that parsed them have changed since."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "tools" / "book_ext").rglob("*.py")):
        digest.update(path.read_bytes())
    parsed, stamp = BUILD / ".doctrees", BUILD / ".doctrees-made-by"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != digest.hexdigest():
        shutil.rmtree(parsed, ignore_errors=True)
        stamp.write_text(digest.hexdigest(), encoding="utf-8")


def derived_config(config: dict) -> dict:
    """Add to the settings what follows from them."""
    address = pages_address(config["repository"]["url"])
    config["html"]["baseurl"] = address
    config["execute"]["cache"] = str(BUILD / ".jupyter_cache" / execution_key())
    sphinx = config["sphinx"]
    sphinx["local_extensions"] = {
        name: str(ROOT / folder) for name, folder in sphinx["local_extensions"].items()
    }
    sphinx["config"]["ogp_site_url"] = address
    home = urlsplit(address).path
    sphinx["config"]["notfound_urls_prefix"] = home
    sphinx["config"]["notfound_context"] = {
        "title": "Page not found",
        "body": "<h1>Page not found</h1><p>There is nothing at this address. "
        f'Go to <a href="{home}">the front page</a>, or search the book.</p>',
    }
    return config


def write_redirect(front_page: str, title: str) -> None:
    """Replace Jupyter Book's bare redirect by a whole page, which some browsers stay on."""
    (HTML / "index.html").write_text(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={front_page}">
<link rel="canonical" href="{front_page}">
<link rel="icon" href="_static/favicon.svg" type="image/svg+xml">
<title>{title}</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p><a href="{front_page}">Open the front page of the book</a></p>
</main>
</body>
</html>
""",
        encoding="utf-8",
    )


def print_tracebacks() -> None:
    """Show what the build saved about each notebook that failed."""
    for log in sorted(HTML.glob("reports/**/*.err.log")):
        print(f"\n--- {log.relative_to(HTML / 'reports')} ---\n{log.read_text(encoding='utf-8')}")


def stream(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command, show what it says as it says it, and return its exit code and its words."""
    said = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as running:  # fmt: skip
        for line in running.stdout or ():
            print(line, end="", flush=True)
            said.append(line)
    return running.returncode, "".join(said)


def build(command: list[str], environment: dict[str, str]) -> int:
    """Build into an empty folder; once more when a kernel did not answer."""
    for attempt in ("first", "second"):
        shutil.rmtree(HTML, ignore_errors=True)  # a page that was removed must not survive
        code, said = stream(command, environment)
        print_tracebacks()
        # Now and then the notebook client sleeps through a kernel's answer and gives the cell up
        # after the time limit. A cell that really hangs does so the second time too.
        if not code or "CellTimeoutError" not in said or attempt == "second":
            break
        print("A cell was given up as hung: building once more.", file=sys.stderr)
    return code


def pages() -> list[Path]:
    """List every page of the built site."""
    return [page for page in HTML.rglob("*.html") if "_static" not in page.relative_to(HTML).parts]


def main() -> int:
    """Build; return 0 when a whole site was written and nothing warned."""
    config = derived_config(read_config())
    BUILD.mkdir(exist_ok=True)
    forget_pages_of_other_extensions()
    derived = BUILD / "_config.yml"
    derived.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    jupyter_book = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(ROOT)]
    # A kernel may warn that it cannot debug frozen modules, and a warning fails the build.
    environment = {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    command = [*jupyter_book, "--config", str(derived), "-W", "-n", "--keep-going"]
    # What the pages of verification and claims show is computed anew; what failed fails the build.
    # The two reports share nothing, so they are made side by side.
    reports = [
        subprocess.Popen([sys.executable, str(ROOT / "tools" / report)])
        for report in ("verification_report.py", "claims_report.py")
    ]
    codes = [report.wait() for report in reports]
    if any(codes):
        return 1
    # Two notebooks at a time: the build itself runs them one after the other.
    runs = [str(ROOT / "tools" / "notebook_runs.py"), config["execute"]["cache"], checked_runs()]
    if subprocess.run([sys.executable, *map(str, runs)], env=environment).returncode:
        return 1
    code = build(command, environment)
    if not pages():
        print("The build wrote no page.", file=sys.stderr)
        return 1
    front_page = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["root"] + ".html"
    if not (HTML / front_page).is_file():
        print(f"The build wrote no front page ({front_page}).", file=sys.stderr)
        return 1
    write_redirect(front_page, config["title"])
    if code:
        print("The build failed: what it said is above.", file=sys.stderr)
        return 1
    print(f"\n{len(pages())} pages in {HTML}\nOpen {HTML / 'index.html'}, or run: make serve")
    return 0


if __name__ == "__main__":
    sys.exit(main())
