"""What an operator can set."""

import dataclasses
import urllib.parse
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Settings:
    """
    The options of a bridge; each is ``--option`` of ``python -m pymdc.bridge`` and ``PYMDC_BRIDGE_OPTION``.

    :ivar data_dir: the folder of database, shards and mails.
    :ivar host: the address to listen on.
    :ivar port: 0 picks a free one.
    :ivar public_url: what links and pointers lead to; by default the address listened on.
    :ivar log_level: debug, info, warning or error.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 6382
    public_url: str | None = None
    log_level: str = "info"

    def __post_init__(self):
        if self.public_url is not None:
            parts = urllib.parse.urlsplit(self.public_url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
                raise ValueError(f"public-url must be like https://bridge.example, not {self.public_url!r}")
