"""A shard on its way into the database."""

import hashlib

from ..._digest import content_hash
from ..metadata import inline_name


class InlineWriter:
    """Takes a shard's bytes as a :class:`~.store.Writer` does, and keeps them in memory."""

    def __init__(self, upload_id: str):
        self._upload_id = upload_id
        self._content = bytearray()
        self.sha256 = hashlib.sha256()

    @property
    def size(self) -> int:
        return len(self._content)

    def write(self, data):
        self._content += data
        self.sha256.update(data)

    def keep(self) -> dict:
        """Return its row, with the content."""
        digest = content_hash(self.sha256)
        name = inline_name(digest, self._upload_id)
        return {"object": name, "hash": digest, "sha256": self.sha256.hexdigest(), "size": self.size,
                "content": bytes(self._content)}

    def discard(self) -> list[str]:
        """Nothing is left of it."""
        return []
