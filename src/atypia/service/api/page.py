"""The page: files that were built, with the index for every path that is not one of them."""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from atypia.notice import RESEARCH_USE_ONLY
from atypia.service.access.users import public
from atypia.service.api.problems import Problem

WEB = Path(__file__).resolve().parents[1] / "web"
INDEX = "index.html"
EVERYTHING = "/{path:path}"
HASHED = "assets/"
"""Below it files are called by a hash of what they hold, and so never change."""
FOR_EVER, ASK = "public, max-age=31536000, immutable", "no-cache"
NOT_PAGES = ("api/", "dicomweb/", "assets/", "metrics", "healthz", "readyz")
_PACKABLE = ("text/", "application/javascript", "application/json", "application/wasm", "image/svg+xml")
_NOT_BUILT = f"""\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Atypia</title></head>
<body>
<h1>Atypia is running, but its page was not built</h1>
<p>This installation comes from sources without the built page. Build it with
<code>cd page &amp;&amp; npm ci &amp;&amp; npm run build</code>, or install a released package.
The API works all the same: see <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p>
<p>{RESEARCH_USE_ONLY}</p></body></html>
"""

router = APIRouter(include_in_schema=False)


@router.get(EVERYTHING)
@public
def get_page(request: Request, path: str) -> Response:
    """Return a file of the page, or its index: which view a path means is for the page to know."""
    web: Path = getattr(request.app.state, "web", WEB)
    file = _file(web, path)
    if file is None and path.startswith(NOT_PAGES):
        raise Problem(404, "No such address", "There is nothing at this address. See /api/v1/openapi.json.")
    name = path if file is not None else INDEX
    file = file or _file(web, INDEX)
    if file is None:
        return Response(_NOT_BUILT, 503, {"Cache-Control": ASK}, "text/html; charset=utf-8")
    return _answer(request, file, for_ever=name.startswith(HASHED))


def _answer(request: Request, file: Path, *, for_ever: bool) -> Response:
    status = file.stat()
    kind = _kind(file)
    headers = {
        "Cache-Control": FOR_EVER if for_ever else ASK,
        "ETag": f'W/"{status.st_mtime_ns:x}-{status.st_size:x}"',
        "Vary": "Accept-Encoding",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content, packed = _content(file, status.st_mtime_ns)
    if packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, 200, {**headers, "Content-Encoding": "gzip"}, kind)
    return Response(content, 200, headers, kind)


@lru_cache(maxsize=256)
def _content(file: Path, _changed: int) -> tuple[bytes, bytes | None]:
    """Return what a file holds, and the same packed where that is worth it; the page is a few MiB in all."""
    content = file.read_bytes()
    packed = gzip.compress(content, 9, mtime=0) if _kind(file).startswith(_PACKABLE) else None
    return content, packed if packed is not None and len(packed) < len(content) else None


def _kind(file: Path) -> str:
    found = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}.get(
        file.suffix
    )
    kind = found or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _file(web: Path, path: str) -> Path | None:
    """Return a file of the page, None for all that is not below its folder."""
    parts = path.split("/")
    if not path or "\0" in path or "\\" in path or any(part in ("", ".", "..") for part in parts):
        return None
    found = web.joinpath(*parts)
    try:
        return found if found.is_file() and found.resolve().is_relative_to(web.resolve()) else None
    except (OSError, ValueError):  # a name that no file can have
        return None
