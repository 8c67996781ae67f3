"""What a browser sees at the root of a bridge."""

import html

from starlette.responses import HTMLResponse

from ..request.call import Call
from . import pages

_BEGINNING = """\
import pymdc
from pymdc.api import Bucket, Buckets, Keys, Users

pymdc.configure(api_url="{url}")

user = Users("you@example.com", "a password")
user.register()  # then follow the link in the mail

key_pair = pymdc.keypair.ECDSA()
Keys(user).create(key_pair)

made = Buckets(key_pair).create("photos", 10, 30)
bucket = Bucket(made, key_pair)
photo = bucket.files.upload("photo.jpg")

# a link by which anybody can download it, once
print(bucket.files.share(photo)["link"])
"""


def page(call: Call) -> HTMLResponse:
    url = call.services.public_url
    beginning = html.escape(_BEGINNING.format(url=url))
    return pages.page("A Metadisk bridge", (
        "<h1>A Metadisk bridge</h1>"
        "<p>It keeps files in buckets, for programs: with tokens that work once, and links for people who need no "
        "account and no program.</p>"
        "<h2>How to begin</h2>"
        f'<p>In Python, with pymdc:</p><pre class="code" tabindex="0">{beginning}</pre>'
        "<h2>All that it can do</h2>"
        '<p>is in the <a href="/openapi.json">description of its API</a>, '
        "in the form of OpenAPI.</p>"
    ))
