"""What a checker has to notice, each line by itself: a type that is ignored in vain is an error, too."""

import pymdc


def mistakes(bucket: pymdc.api.Bucket, key_pair: pymdc.keypair.ECDSA) -> None:
    bucket.files.token("PULL ")  # type: ignore
    bucket.files.list()["hash"]  # type: ignore
    bucket.files.list()[0]["hsah"]  # type: ignore
    bucket.list(callback=5)  # type: ignore
    bucket.list(callback=print)["id"]  # type: ignore
    bucket.files.upload(5)  # type: ignore
    bucket.files.open(key_pair)  # type: ignore
    bucket.files.list(delimiter=",")  # type: ignore
    bucket.files.list(delimiter="/")[0]["filename"]  # type: ignore
    bucket.files.copy("0" * 40)  # type: ignore
    pymdc.api.Keys("alice@example.com")  # type: ignore
    key_pair.get_private_key().upper()  # type: ignore
    key_pair.get_public_key("der")  # type: ignore
    pymdc.Client(retries="4")  # type: ignore
