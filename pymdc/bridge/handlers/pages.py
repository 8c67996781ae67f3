"""What a browser sees that has followed the link in a mail."""

import base64
import hashlib
import html

from starlette.responses import HTMLResponse

from ..request.call import Call

_STYLE = (
    "body{font:1.1rem/1.6 system-ui,sans-serif;color:#1d2b36;background:#eef2f5;margin:0;display:grid;"
    "min-height:100vh;place-items:center}"
    "main{background:#fff;border-radius:.75rem;padding:2.5rem 3rem;margin:1rem;max-width:28rem;"
    "box-shadow:0 .25rem 1.5rem #1d2b361f}"
    "h1{font-size:1.5rem;margin:0 0 .5rem}p{margin:.5rem 0 0;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{color:#dfe7ec;background:#141b20}main{background:#1f2930}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'",
    "Vary": "Accept",
}


def wanted(call: Call) -> bool:
    """Return whether a browser asks."""
    return "text/html" in call.headers.get("accept", "").lower()


def activated(email: str) -> HTMLResponse:
    return _page("Your account is active", f"You can use it now, as {email}. This page can be closed.")


def not_activated() -> HTMLResponse:
    return _page(
        "This link is not good any more",
        "A link works once. If it was you who has used it, the account is active, and all is well; "
        "otherwise register again, and follow the newest link.",
        400,
    )


def _page(title, text, status=200):
    return HTMLResponse(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p></main></body></html>\n",
        status, _HEADERS,
    )
