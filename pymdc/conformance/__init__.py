"""
``python -m pymdc.conformance URL``: does a bridge speak the Metadisk protocol?

Each module but the first four below is one section of docs/protocol, as small functions whose names are its rules:

    point.py        what a rule is, and what it may find
    wire.py         requests as they go over the wire, without the library's own idea of them
    world.py        the accounts that ask, and what they leave behind
    command.py      the command, and its table
    general.py      1. General              buckets.py      5. Buckets          files.py        8. Files
    identity.py     2. Who is asking        tokens.py       6. Tokens           channel.py      9. Data channel
    users.py        3. Users                upload.py       7. Upload
    keys.py         4. Keys                 direct.py       12. Direct transfers
    names.py        13. Names               accounts.py     14. Accounts        links.py        15. Links

Of the library it uses nothing but the key pair and the hash, which the recorded ones pin down: a bug of the
library must not hide one of a bridge.
"""
