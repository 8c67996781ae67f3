"""The whole walk-through of the README on a bridge of its own, in one go: ``python docs/quickstart.py``."""

import hashlib
import json
import os
import tempfile

import pymdc
from pymdc.bridge import LocalBridge

PHOTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "photo.jpg")


def show(what, answer):
    print("{0}\n{1}\n".format(what, json.dumps(answer, indent=4)))


def sha256(path):
    with open(path, "rb") as content:
        return hashlib.sha256(content.read()).hexdigest()


def walk_through(bridge, copy):
    pymdc.configure(api_url=bridge.url, raise_errors=True)

    user = pymdc.api.Users("alice@example.com", "correct horse battery staple")
    show("user.register()", user.register())
    show("user.activate(link)", user.activate(bridge.activation_token("alice@example.com")))

    key_pair = pymdc.keypair.ECDSA()
    keys = pymdc.api.keys.Keys(user)
    show("keys.create(key_pair)", keys.create(key_pair))
    show("keys.list()", keys.list())

    buckets = pymdc.api.buckets.Buckets(key_pair)
    created = buckets.create("Holidays", 10, 30, [key_pair])
    show('buckets.create("Holidays", 10, 30, [key_pair])', created)

    bucket = pymdc.api.buckets.Bucket(bucket_id=created, key_pair=key_pair)
    token = bucket.files.token("PUSH")
    show('bucket.files.token("PUSH")', token)
    uploaded = bucket.files.upload(PHOTO, token)
    show('bucket.files.upload("docs/photo.jpg", token)', uploaded)
    show("bucket.files.list()", bucket.files.list())

    downloaded = bucket.files.download(uploaded["hash"], copy)
    show('bucket.files.download(uploaded["hash"], "copy.jpg")', dict(downloaded, path=os.path.basename(copy)))
    if sha256(copy) != sha256(PHOTO):
        raise SystemExit("the copy differs from the photo")
    print("the copy equals the photo: {0} bytes".format(os.path.getsize(copy)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, LocalBridge() as bridge:
        walk_through(bridge, os.path.join(folder, "copy.jpg"))
