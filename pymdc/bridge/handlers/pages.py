"""What a browser sees: the frame of all pages, and those of an activation."""

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
    "label{display:block;margin:1rem 0 0}"
    "input,button{font:inherit;color:inherit;box-sizing:border-box;width:100%;padding:.5rem .75rem;border-radius:.5rem;"
    "border:1px solid #6b7f8c;background:none}"
    "button{margin:1.5rem 0 0;border-color:#1f5f8b;background:#1f5f8b;color:#fff;cursor:pointer}"
    "input:focus-visible,button:focus-visible{outline:3px solid #5aa9dd;outline-offset:2px}"
    ".bad{color:#a3201a;font-weight:600}"
    "a{color:#1f5f8b}"
    "@media(prefers-color-scheme:dark){body{color:#dfe7ec;background:#141b20}main{background:#1f2930}"
    "a{color:#8cc8f0}.bad{color:#ff9d94}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'; form-action "


def wanted(call: Call) -> bool:
    """Return whether a browser asks."""
    return "text/html" in call.headers.get("accept", "").lower()


def page(title: str, body: str, status=200, headers=None, form=False) -> HTMLResponse:
    """
    Return a page.

    :param body: HTML, in which all that is somebody's else is escaped.
    :param form: whether it sends one, to this bridge.
    """
    policy = _POLICY + ("'self'" if form else "'none'")
    return HTMLResponse(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>\n",
        status, {"Content-Security-Policy": policy, "Vary": "Accept", **(headers or {})},
    )


def words(title: str, *paragraphs: str, status=200, headers=None) -> HTMLResponse:
    """Return a page that only says something."""
    body = f"<h1>{html.escape(title)}</h1>" + "".join(f"<p>{html.escape(text)}</p>" for text in paragraphs)
    return page(title, body, status, headers)


def activated(email: str) -> HTMLResponse:
    return words("Your account is active", f"You can use it now, as {email}. This page can be closed.")


def not_activated() -> HTMLResponse:
    return words(
        "This link is not good any more",
        "A link works once. If it was you who has used it, the account is active, and all is well; "
        "otherwise register again, and follow the newest link.",
        status=400,
    )
