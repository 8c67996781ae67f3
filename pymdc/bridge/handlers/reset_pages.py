"""The pages of a forgotten password: where a link is asked for, and what it leads to."""

import html

from starlette.responses import HTMLResponse

from ..refusal import Refusal
from . import pages


def asking(flaw: Refusal | None = None) -> HTMLResponse:
    """:param flaw: why the form that was sent is not obeyed."""
    return _form(
        "Forgot your password?",
        "A mail brings you a link by which you choose another one. It is good for an hour.",
        '<label for="email">E-mail address of your account</label>'
        '<input id="email" name="email" inputmode="email" autocomplete="username" autocapitalize="none" required>'
        "<button>Send me the link</button>",
        flaw,
    )


def mailed(email: str) -> HTMLResponse:
    return pages.words(
        "Look into your mail",
        f"If {email} has an active account here, a link is on its way. Nothing came? There is one mail a minute at "
        "most, and a few a day; each link is good for an hour.",
    )


def choosing(email: str, flaw: Refusal | None = None) -> HTMLResponse:
    """As :func:`asking`."""
    return _form(
        "Choose another password",
        "The keys of your account stay. Tokens and links end that were made by the old password.",
        '<label for="email">Account</label>'
        f'<input id="email" value="{html.escape(email)}" autocomplete="username" readonly>'
        '<label for="password">New password</label>'
        '<input id="password" name="password" type="password" autocomplete="new-password" required>'
        '<label for="again">The same again</label>'
        '<input id="again" name="again" type="password" autocomplete="new-password" required>'
        "<button>Set the password</button>",
        flaw,
    )


def changed(email: str) -> HTMLResponse:
    return pages.words("Your password is changed", f"You can use it now, as {email}. This page can be closed.")


def refused(refusal: Refusal, bridge: str) -> HTMLResponse:
    """
    Return the page that says why a link is good for nothing.

    :param bridge: its public URL.
    """
    if refusal.status != 400:
        return pages.words("That did not work", refusal.text + ".", status=refusal.status, headers=refusal.headers)
    return pages.page("This link is not good any more", (
        "<h1>This link is not good any more</h1>"
        "<p>A link works once, within an hour, and ends when the password is changed otherwise. If it was you who has "
        "used it, your new password is good, and all is well.</p>"
        f'<p><a href="{html.escape(bridge)}/resets">Ask for a new link</a></p>'
    ), 400)


def _form(title, text, fields, flaw):
    alert = f'<p class="bad" role="alert">{html.escape(flaw.text)}</p>' if flaw else ""
    body = f'<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>{alert}<form method="post">{fields}</form>'
    return pages.page(title, body, flaw.status if flaw else 200, flaw and flaw.headers, form=True)
