"""What a browser sees: the frame of all pages, and those of an activation."""

import base64
import hashlib
import html
import importlib.resources

from starlette.responses import HTMLResponse, Response

from ..refusal import Refusal
from ..request.call import Call

_ASSETS = importlib.resources.files(__package__).joinpath("assets")
_STYLE = _ASSETS.joinpath("page.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_SCRIPTS = {"links.js": _ASSETS.joinpath("links.js").read_bytes()}
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'; form-action "
_WITH_SCRIPT = "; script-src 'self'; connect-src 'self'"


def wanted(call: Call) -> bool:
    """Return whether a browser asks."""
    return "text/html" in call.headers.get("accept", "").lower()


def script(call: Call) -> Response:
    """Give a script, all of which are files of ours."""
    content = _SCRIPTS.get(call.ids["name"])
    if content is None:
        raise Refusal(404, "Not found")
    return Response(content, media_type="text/javascript; charset=utf-8")


def page(title: str, body: str, status=200, headers=None, form=False, script=None) -> HTMLResponse:
    """
    Return a page.

    :param body: HTML, in which all that is somebody's else is escaped.
    :param form: whether it sends one, to this bridge.
    :param script: the path of its script, if it has one.
    """
    policy = _POLICY + ("'self'" if form else "'none'") + (_WITH_SCRIPT if script else "")
    loaded = f'<script src="{html.escape(script)}" defer></script>' if script else ""
    return HTMLResponse(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style>{loaded}</head><body><main>{body}</main></body></html>\n",
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
