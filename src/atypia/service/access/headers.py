"""The headers that tell browsers what our answers may do: nothing that the page does not need."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders

PAGE = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' blob: data:; worker-src 'self' blob:; font-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Of the page: everything from here, no inline scripts or styles; WebAssembly for the viewer of volumes."""
REPORT = (
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""Of reports and cards, which carry their style and pictures in themselves, and run nothing."""
DATA = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""Of everything else: data that a browser has no reason to show as a page."""
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS = "max-age=31536000"


def secure(headers: MutableHeaders, path: str, scheme: str) -> None:
    """Set what every answer carries, whatever a route has set; caches of many users never keep an answer."""
    for name, value in ALWAYS.items():
        headers[name] = value
    headers["Content-Security-Policy"] = policy(path, headers.get("content-type", ""))
    if scheme == "https":
        headers["Strict-Transport-Security"] = HSTS
    if is_data(path):
        kept = headers.get("cache-control", "no-store")
        headers["Cache-Control"] = kept.replace("public", "private")
        headers.add_vary_header("Authorization")
        headers.add_vary_header("Cookie")


def policy(path: str, media_type: str) -> str:
    """Return the content security policy of an answer."""
    if not is_data(path):
        return PAGE
    return REPORT if media_type.startswith("text/html") else DATA


def is_data(path: str) -> bool:
    """Tell whether a path is of the API, and not of the page."""
    return path.startswith(("/api/", "/dicomweb/", "/metrics", "/healthz", "/readyz"))
