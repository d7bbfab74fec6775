"""Serve the built site on this machine, at the path that GitHub Pages will use.

Use: `python tools/serve.py 8000`.
"""

from __future__ import annotations

import functools
import sys
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from build_book import HTML, pages_address, read_config


class SiteHandler(SimpleHTTPRequestHandler):
    """Files of one folder below a path prefix, with the site's own page for what is not there."""

    extensions_map = {  # noqa: RUF012 (the base class's own attribute)
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
        ".woff2": "font/woff2",
    }

    def __init__(self, *args, prefix: str = "/", **kwargs) -> None:
        self.prefix = prefix
        super().__init__(*args, **kwargs)

    def send_head(self):
        """Answer the bare address with the book's, and strip the prefix from the rest."""
        if self.path == "/" and self.prefix != "/":
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", self.prefix)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if not self.path.startswith(self.prefix):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        self.path = "/" + self.path[len(self.prefix) :]
        return super().send_head()

    def list_directory(self, path):
        """Refuse to list a folder without an index, as GitHub Pages does."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def send_error(self, code, message=None, explain=None):
        """Send the site's own page for an unknown address."""
        page = Path(self.directory) / "404.html"
        if code != HTTPStatus.NOT_FOUND or not page.is_file():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format, *args):
        """Say nothing: a line for every file is no help to a reader."""


def site_prefix() -> str:
    """Give the path below which the site lives, such as `/why-car-t-relapses/`."""
    return urlsplit(pages_address(read_config()["repository"]["url"])).path


def make_server(port: int, folder: Path = HTML, prefix: str | None = None) -> ThreadingHTTPServer:
    """Make a server bound to this machine only; port 0 takes any free one."""
    handler = functools.partial(
        SiteHandler, directory=str(folder), prefix=prefix if prefix is not None else site_prefix()
    )
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


def main(port: int) -> int:
    """Serve until interrupted."""
    if not (HTML / "index.html").is_file():
        print("There is no site yet: run make book first.", file=sys.stderr)
        return 1
    try:
        server = make_server(port)
    except OSError as problem:
        print(
            f"Port {port} cannot be used ({problem.strerror}): try make serve PORT=8001.",
            file=sys.stderr,
        )
        return 1
    print(f"The book is at http://127.0.0.1:{port}{site_prefix()} (Ctrl-C stops it)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000))
