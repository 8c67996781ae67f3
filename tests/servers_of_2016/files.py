"""Files: how an upload is cut to shards, and where they are."""

from __future__ import absolute_import, division, print_function

import re

from .asking import number_of
from .buckets import any_bucket, own_bucket, spend_token
from .door import PATIENCE
from .ids import hash_of
from .refusal import NoAnswer, Refusal

_SHARD = 8 * 1024 * 1024
_WRITE = 61000  # bytes of an upload that are written at once


def upload(request, bucket_id):
    granted = spend_token(request)
    declared = number_of(request.headers.get("x-filesize", "none") or "0")
    if declared is None:
        raise request.mistake(400, "Missing or invalid x-filesize header sent")
    any_bucket(request, bucket_id)
    if granted != (bucket_id, "PUSH"):
        raise request.refusal("Not authorized to store in bucket")
    body, writes = read_in_blocks(request)
    head, start, end = file_part(body, request.headers.get("Content-Type"))
    if end - start > declared:
        raise request.mistake(400, "File size exceeds declared size")
    if end - start < declared:
        raise request.mistake(400, "File does not match the declared size")
    return 200, store(request, bucket_id, head, [body[begin:stop] for begin, stop in cut(start, end, writes)])


def read_in_blocks(request):
    """Return the body, and where each write of it ended."""
    body, writes = bytearray(), []
    while request.left:
        body += request.read(min(request.left, _WRITE))
        writes.append(len(body))
    return bytes(body), writes


def file_part(body, content_type):
    """Return the head of the first part with a file name, and where its content begins and ends."""
    kind, _, boundary = (content_type or "").partition("boundary=")
    if not boundary or not kind.lower().startswith("multipart/form-data"):
        raise NoAnswer()
    boundary = b"\r\n--" + boundary.strip('"').encode("ascii")
    start = body.find(boundary[2:])
    while start >= 0:
        head, _, _ = body[start:start + 4096].partition(b"\r\n\r\n")
        begin = start + len(head) + 4
        end = body.find(boundary, begin)
        if end < 0:
            raise Refusal(500, "Unexpected end of multipart data")
        if b"filename=" in head or b"application/octet-stream" in head:
            return head.decode("utf-8"), begin, end
        start = end if not body.startswith(boundary + b"--", end) else -1
    raise NoAnswer()


def cut(start, end, writes):
    """Cut where the first write ends that brings a shard to 8 MiB, or the file does."""
    shards = []
    for stop in [write for write in writes if start < write < end] + [end]:
        if stop - start >= _SHARD or (stop == end and stop > start):
            shards.append((start, stop))
            start = stop
    return shards


def store(request, bucket_id, head, shards):
    server = request.server
    name, kind = base_name(head), re.search(u"(?i)content-type: *([^\r\n;]+)", head)
    if kind and kind.group(1) != kind.group(1).lower() and not request.version.capitals:
        raise NoAnswer()
    file_hash = hash_of(b"".join(shards))
    with server.lock:
        twice = (bucket_id, file_hash) in server.under_way
        server.under_way.add((bucket_id, file_hash))
    if twice:
        raise NoAnswer()
    server.storing.wait(PATIENCE)
    entry = {"bucket": bucket_id, "mimetype": kind.group(1).lower() if kind else "text/plain",
             "filename": name or file_hash, "size": sum(len(shard) for shard in shards), "hash": file_hash}
    with server.lock:
        server.files[bucket_id][file_hash] = entry
        server.shards.setdefault(file_hash, []).append([server.farmer.keep(shard) for shard in shards])
        server.stored.append(file_hash)
        server.under_way.discard((bucket_id, file_hash))
    return entry


def base_name(head):
    """Return the file name in the head of a part without its folders: a backslash before a quote is none of theirs."""
    name = re.search(u'filename="((?:[^"\\\\]|\\\\.)*)"', head)
    return re.split(u'/|\\\\(?!")', name.group(1))[-1].replace(u'\\"', u'"') if name else u""


def list_files(request, bucket_id):
    own_bucket(request, bucket_id)
    return 200, list(request.server.files[bucket_id].values())


def point(request, bucket_id, file_hash):
    granted = spend_token(request)
    any_bucket(request, bucket_id)
    if granted != (bucket_id, "PULL"):
        raise request.refusal("Not authorized to retrieve from bucket")
    if file_hash not in request.server.files[bucket_id]:
        raise request.mistake(404, "The requested file was not found")
    if request.server.lost_contracts:
        request.server.lost_contracts -= 1
        raise Refusal(500, "Failed to load the shard contracts")
    return 200, [request.server.farmer.pointer(shard_hash) for shard_hash in shards_of(request.server, file_hash)]


def shards_of(server, file_hash):
    """Return the shards of all uploads of a content, in any bucket: the first of each, the second, and so on."""
    uploads = server.shards[file_hash]
    longest = max(map(len, uploads))
    return [shards[index] for index in range(longest) for shards in uploads if index < len(shards)]


def delete_file(request, bucket_id, file_hash):
    own_bucket(request, bucket_id)
    if request.server.files[bucket_id].pop(file_hash, None) is None:
        raise request.mistake(404, "File not found")
    return request.version.file_deleted, ""
