"""The dashboard's files at `/` and `/dashboard/...`: open, as they hold no data.

Each file has its own address, written here: what is not listed is not served, and none of the
paths comes from a request. The page gets its data from the API with the reader's key.
"""

from __future__ import annotations

import hashlib
from importlib import resources

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_SCRIPTS = """
    acts alert alerting alerts axes catalogue chart client connection device devices elements gate
    health language latest letters main names noise numbers order overlays pages place refresh rules
    series session silences sites times told view why wording
"""

FILES = {
    "/": "index.html",
    "/dashboard/style.css": "style.css",
    "/dashboard/alerts.css": "alerts.css",
    "/dashboard/icon.svg": "icon.svg",
    "/dashboard/locales/en.json": "locales/en.json",
    "/dashboard/locales/fr.json": "locales/fr.json",
    **{f"/dashboard/script/{name}.js": f"script/{name}.js" for name in _SCRIPTS.split()},
}
"""Address -> file in this package."""

PATHS = frozenset(FILES)
"""Every address of the dashboard: none of them needs a key."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing inline, nothing from elsewhere, and (trusted types) no text that becomes markup."""

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}


class _StaticFile:
    """Answers one file, or 304 to who has it already."""

    def __init__(self, content: bytes, *, media_type: str) -> None:
        self._content = content
        self._media_type = media_type
        digest = hashlib.blake2b(content, digest_size=12).hexdigest()
        self._headers = {**HEADERS, "ETag": f'"{digest}"'}

    async def __call__(self, request: Request) -> Response:
        known = request.headers.get("if-none-match", "")
        if self._headers["ETag"] in known:
            return Response(status_code=304, headers=self._headers)
        return Response(self._content, media_type=self._media_type, headers=self._headers)


def dashboard_router() -> APIRouter:
    """Return the router that serves the dashboard; reads its files once."""
    package = resources.files(__package__)
    routes: list[BaseRoute] = []
    for path, name in FILES.items():
        media_type = _MEDIA_TYPES[f".{name.rpartition('.')[2]}"]
        file = _StaticFile(package.joinpath(name).read_bytes(), media_type=media_type)
        routes.append(Route(path, file.__call__, methods=["GET"]))
    return APIRouter(routes=routes)
