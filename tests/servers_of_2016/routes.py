"""Each request that there is, and what it means."""

from __future__ import absolute_import, division, print_function

from .accounts import activate, create_key, delete_key, list_keys, register
from .buckets import create_bucket, create_token, delete_bucket, get_bucket, list_buckets, update_bucket
from .files import delete_file, list_files, point, upload


def describe(request):
    title = "Storj Bridge" if request.server.name == "0.6.6" else "MetaDisk API"
    return 200, {"swagger": "2.0", "info": {"title": title, "version": request.server.name}, "paths": {}}


def allow(request):
    return 204, ""


ROUTES = [
    ("GET", "", describe),
    ("OPTIONS", ".*", allow),
    ("POST", "/users", register),
    ("GET", "/activations/([^/]+)", activate),
    ("GET", "/keys", list_keys),
    ("POST", "/keys", create_key),
    ("DELETE", "/keys/([^/]+)", delete_key),
    ("GET", "/buckets", list_buckets),
    ("POST", "/buckets", create_bucket),
    ("GET", "/buckets/([^/]+)", get_bucket),
    ("PATCH", "/buckets/([^/]+)", update_bucket),
    ("DELETE", "/buckets/([^/]+)", delete_bucket),
    ("POST", "/buckets/([^/]+)/tokens", create_token),
    ("PUT", "/buckets/([^/]+)/files", upload),
    ("GET", "/buckets/([^/]+)/files", list_files),
    ("GET", "/buckets/([^/]+)/files/([^/]+)", point),
    ("DELETE", "/buckets/([^/]+)/files/([^/]+)", delete_file),
]
