"""The pages of links: what one is good for, what has come of it, and why one leads nowhere."""

import datetime
import html
import secrets

from starlette.responses import HTMLResponse

from ..clock import iso
from ..refusal import Refusal
from ..request.call import Call
from . import pages
from .attachment import last_part

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STATUS = '<p role="status" aria-live="polite"></p>'


def offer(call: Call, link: dict) -> HTMLResponse:
    """Return the page of a link, given by its token's row."""
    title, body = (_download if link["operation"] == "PULL" else _upload)(call, link)
    return pages.page(title, body, form=True, script="/assets/links.js")


def arrived(file: dict) -> HTMLResponse:
    name = f"<bdi>{html.escape(last_part(file['filename']))}</bdi>"
    return pages.page("It has arrived", (
        f"<h1>It has arrived</h1><p>{name}, {in_words(file['size'])}, is where it was asked for.</p>"
        "<p>This page can be closed.</p>"
    ))


def refused(refusal: Refusal) -> HTMLResponse:
    """Return the page that says why a link was of no use."""
    text, more = _REFUSED.get(refusal.status, (refusal.text + ".", "If the link is still good, you can try again."))
    title = "This link leads nowhere" if refusal.status == 404 else "That did not work"
    return pages.words(title, text, more, status=refusal.status, headers=refusal.headers)


_REFUSED = {
    404: (
        "Each link works once and for a limited time. This one has been used, or was taken back by who made it, "
        "or its time is over.",
        "If you need it still, ask who sent it to you for another.",
    ),
    410: ("The file is damaged where it is kept.", "Tell who sent you the link: the file has to be uploaded again."),
}


def in_words(size: int) -> str:
    """Return how much so many bytes are."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size} {'byte' if size == 1 else _UNITS[0]}"


def _download(call, link):
    name = last_part(link["filename"])
    commands = 'curl -d "" -LOJ', 'wget --post-data="" --content-disposition'
    return name, (
        f"<h1><bdi>{html.escape(name)}</bdi></h1><p>{in_words(link['size'])}, for you to download. {_terms(link)}</p>"
        f'<form method="post"><input type="hidden" name="once" value="{secrets.token_hex(16)}">'
        f"<button>Download</button>{_STATUS}</form>{_without_browser(call, *commands)}"
    )


def _upload(call, link):
    most = link["max_size"]
    limit = "" if most is None else f" It may have {in_words(most)} at most."
    data = "" if most is None else f' data-most="{most}"'
    return "Send a file", (
        f"<h1>Send a file</h1><p data-before>Who sent you this link asks for one file.{limit} {_terms(link)}</p>"
        f'<form method="post" enctype="multipart/form-data"{data}>'
        f'<div data-before><label for="file">Choose a file, or drop it here</label>'
        f'<input type="file" id="file" name="file" required><button>Send</button>'
        f'<progress hidden aria-label="How much has been sent" value="0" max="1"></progress></div>{_STATUS}</form>'
        f"{_without_browser(call, 'curl -F file=@photo.jpg')}"
    )


def _terms(link):
    moment = datetime.datetime.fromtimestamp(link["expires"] / 1000, datetime.timezone.utc)
    shown = f'<time datetime="{iso(link["expires"])}">{moment.day} {moment:%B %Y, %H:%M} UTC</time>'
    return f"The link works once, until {shown}."


def _without_browser(call, *commands):
    """:param commands: what comes before the link, in a form that is good in every shell, that of Windows too."""
    link = call.services.public_url + "/links/" + call.ids["token"]
    shown = "".join(f'<pre tabindex="0">{html.escape(command)} {link}</pre>' for command in commands)
    return f"<details data-before><summary>Without a browser</summary>{shown}</details>"
