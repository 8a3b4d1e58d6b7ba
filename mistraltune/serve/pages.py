"""The console's pages as they were built: looked up in a table of files, so that no address leads anywhere else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mistraltune.serve.refusals import Refusal
from mistraltune.serve.security import is_api

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
HASHED = "/_next/static/"
"""Files below have their content's hash in their name."""

POLICY = (
    "default-src 'self'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What a page may load; a script that stands in it, by its hash alone."""

NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MistralTune</title></head><body>
<h1>The server runs; its console is not installed</h1>
<p>This installation was built without Node, or with MISTRALTUNE_SKIP_CONSOLE set. The API works without it: see
<a href="/docs">/docs</a>, which takes the key. To add the console, install Node 20 or later and give
<code>pip install --force-reinstall --no-deps .</code> in a clone (in an editable one,
<code>npm ci &amp;&amp; npm run build</code> in <code>frontend/</code>), then start the server again.</p>
</body></html>
"""


@dataclass(frozen=True)
class Page:
    """One file and what goes out with it.

    Attributes:
        path: The file.
        media_type: What it is.
        headers: Caching, and for HTML the content security policy.
    """

    path: Path
    media_type: str
    headers: dict[str, str]

    def response(self, status: int = 200) -> Response:
        """The file as an answer."""
        return FileResponse(self.path, status_code=status, media_type=self.media_type, headers=self.headers)


class Pages:
    """Answers every request that is not for the API.

    Args:
        app: Answers the API's.
        root: The built console; None where there is none.
    """

    def __init__(self, app: ASGIApp, *, root: Path | None) -> None:
        self.app = app
        self.pages = read_pages(root) if root else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a page."""
        if scope["type"] != "http" or is_api(scope["path"]):
            await self.app(scope, receive, send)
            return
        await self.answer(scope)(scope, receive, send)

    def answer(self, scope: Scope) -> Response:
        """What stands at an address."""
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            return Refusal(405, "pages are only read", headers={"Allow": "GET, HEAD"}).response()
        if page := self.pages.get(path):
            return page.response()
        if f"{path}/" in self.pages:
            query = scope["query_string"].decode("latin-1")
            return RedirectResponse(f"{path}/" + (f"?{query}" if query else ""), status_code=308)
        if missing := self.pages.get("/404.html"):
            return missing.response(404)
        if path == "/":
            return HTMLResponse(NOT_BUILT)
        return Refusal(404, "there is nothing here").response()


def read_pages(root: Path) -> dict[str, Page]:
    """Address to page, for every file below `root`; `index.html` stands at its folder's address."""
    pages = {}
    for path in sorted(root.rglob("*")):
        if not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
            continue
        address = "/" + path.relative_to(root).as_posix()
        pages[address.removesuffix("index.html") if path.name == "index.html" else address] = read_page(path, address)
    return pages


def read_page(path: Path, address: str) -> Page:
    """One file, its headers worked out."""
    headers = {"cache-control": "public, max-age=31536000, immutable" if address.startswith(HASHED) else "no-cache"}
    if path.suffix == ".html":
        headers["content-security-policy"] = policy_for(path.read_text(encoding="utf-8"))
    return Page(path, MEDIA_TYPES.get(path.suffix, "application/octet-stream"), headers)


def policy_for(html: str) -> str:
    """The policy that lets a page's own scripts run, and no other."""
    parser = InlineScripts()
    parser.feed(html)
    parser.close()
    digests = dict.fromkeys(hashlib.sha256(script.encode()).digest() for script in parser.scripts)
    return POLICY.format(hashes="".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests))


class InlineScripts(HTMLParser):
    """Collects the scripts that stand in a page.

    Attributes:
        scripts: Their texts.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a script."""
        self._is_inside = tag == "script" and "src" not in dict(attrs)
        if self._is_inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        self._is_inside = False

    def handle_data(self, data: str) -> None:
        """Take in a piece of it."""
        if self._is_inside:
            self.scripts[-1] += data
