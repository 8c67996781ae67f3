"""What a bucket lists, and a deletion by name, for tests of names."""

import urllib.parse


def ask(account, bucket, **query):
    return account.signed.get(f"/buckets/{bucket}/files?" + urllib.parse.urlencode(query, quote_via=urllib.parse.quote))


def listed(account, bucket, **query):
    """Return the names of files, and the folders."""
    answer = ask(account, bucket, **query)
    assert answer.status_code == 200, answer.text
    return [item.get("filename") or item["prefix"] for item in answer.json()]


def entries(account, bucket):
    return [(file["filename"], file["hash"]) for file in ask(account, bucket).json()]


def delete(account, bucket, file_hash, **query):
    query = "?" + urllib.parse.urlencode(query) if query else ""
    return account.signed.delete(f"/buckets/{bucket}/files/{file_hash}{query}")
