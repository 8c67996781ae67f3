"""Buckets and tokens."""

from __future__ import absolute_import, division, print_function

import collections
import numbers
import re
import time

from .accounts import CREATED, HEX
from .asking import INVALID_NONCE, UNKNOWN_KEY, asking, email_of, number_of, signing_key
from .ids import random_hex
from .refusal import Refusal

_TOKEN_LIFE = 300  # seconds


def list_buckets(request):
    email = email_of(request, asking(request))
    return 200, [bucket for bucket in request.server.buckets.values() if bucket["user"] == email]


def create_bucket(request):
    email = email_of(request, asking(request))
    bucket = {"user": email, "created": CREATED, "name": "New Bucket", "pubkeys": [], "status": "Active",
              "transfer": 30, "storage": 10, "id": request.server.new_id()}
    change(bucket, request.json)
    key = request.headers.get("x-pubkey")
    if key and key not in bucket["pubkeys"]:
        bucket["pubkeys"].append(key)
    with request.server.lock:
        request.server.buckets[bucket["id"]] = bucket
        request.server.files[bucket["id"]] = collections.OrderedDict()
    return 200, bucket


def get_bucket(request, bucket_id):
    return 200, own_bucket(request, bucket_id)


def update_bucket(request, bucket_id):
    bucket, pubkeys = own_bucket(request, bucket_id), request.json.get("pubkeys")
    pubkeys = [pubkeys] if isinstance(pubkeys, type(u"")) else pubkeys
    if isinstance(pubkeys, list) and not request.is_of_0_2_2 and not all(map(HEX.match, pubkeys)):
        raise Refusal(400, "Invalid public key supplied")
    change(bucket, dict(request.json, pubkeys=pubkeys))
    return 200, bucket


def delete_bucket(request, bucket_id):
    own_bucket(request, bucket_id)
    with request.server.lock:
        del request.server.buckets[bucket_id]
    return request.version.bucket_deleted, ""


def change(bucket, fields):
    changes = {name: amount(fields[name]) for name in ("storage", "transfer") if name in fields}
    if "name" in fields:
        changes["name"] = name_of(fields["name"])
    if isinstance(fields.get("pubkeys"), list):
        changes["pubkeys"] = fields["pubkeys"]
    bucket.update(changes)


def amount(value):
    if value is not None and number_of(value) is None:
        raise Refusal(500, "Bucket validation failed")
    return value if value is None or isinstance(value, numbers.Real) else number_of(value)


def name_of(value):
    if isinstance(value, (dict, list)):
        raise Refusal(500, "Bucket validation failed")
    return value if value is None else u"{0}".format(value)


def own_bucket(request, bucket_id):
    email = email_of(request, asking(request))
    bucket = any_bucket(request, bucket_id)
    if bucket["user"] != email:
        raise request.mistake(404, "Bucket not found")
    return bucket


def any_bucket(request, bucket_id):
    if not re.match(r"[0-9a-f]{24}\Z", bucket_id):
        raise Refusal(500, 'Cast to ObjectId failed for value "{0}" at path "_id"'.format(bucket_id))
    if bucket_id not in request.server.buckets:
        raise request.mistake(404, "Bucket not found")
    return request.server.buckets[bucket_id]


def create_token(request, bucket_id):
    try:
        own_bucket(request, bucket_id)
    except Refusal as refusal:
        if not request.version.guests or refusal.text not in (INVALID_NONCE, UNKNOWN_KEY):
            raise
        # Who is no owner by his key and nonce may still be a guest; so a refused nonce is not called by its name.
        if signing_key(request) not in any_bucket(request, bucket_id)["pubkeys"]:
            raise request.mistake(404, "Bucket not found")
    operation = request.json.get("operation")
    if operation not in ("PUSH", "PULL"):
        raise Refusal(500, "Token validation failed")
    token = random_hex(32)
    with request.server.lock:
        request.server.tokens[token] = (bucket_id, operation)
    expires = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + _TOKEN_LIFE))
    return 200, {"bucket": bucket_id, "operation": operation, "expires": expires, "token": token, "id": token}


def spend_token(request):
    with request.server.lock:
        granted = request.server.tokens.pop(request.headers.get("x-token"), None)
    if granted is None:
        raise Refusal(500, "Invalid or expired token")
    return granted
