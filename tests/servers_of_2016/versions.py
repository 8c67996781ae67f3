"""In what the servers differ: docs/protocol, section 10, and exchanges.json."""

from __future__ import absolute_import, division, print_function

import collections

Version = collections.namedtuple("Version", [
    "refused",  # the status of refused authentication
    "mistakes",  # the status of a user's other mistakes; None where it is one that fits
    "email_taken",
    "reading_nonces",  # whether the nonce of a GET or DELETE is checked
    "nonce_needed",  # whether a POST has to have one
    "guests",  # whether keys listed in the bucket get tokens
    "key_at_registration",
    "inactive_may_sign",
    "bucket_deleted",
    "file_deleted",  # None where there is no such route
    "dialect",
    "verdict",  # what the farmer says at the end of a shard
    "channel_error",  # what the farmer does after an error
    "capitals",  # whether a file whose type has capital letters is ever answered
])
VERSIONS = {
    "0.2.2": Version(500, 500, 400, False, False, False, False, True, 200, None, "binaryjs", None, "map", True),
    "0.2.4": Version(401, None, 500, True, True, True, True, True, 204, 204, "binaryjs", None, "map", True),
    "0.3.0": Version(401, None, 500, True, True, True, True, True, 204, 204, "plain", None, "drop", True),
    "0.5.1": Version(401, None, 500, True, True, True, True, True, 204, 204, "plain", None, "drop", True),
    "0.6.6": Version(401, None, 500, True, True, True, True, False, 204, 204, "plain", b'{"code":200}', "silence",
                     False),
}
