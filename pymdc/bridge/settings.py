"""What an operator can set."""

import dataclasses
import os
import re

LOG_LEVELS = ("debug", "info", "warning", "error")

_PUBLIC_URL = re.compile(r"https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:[1-9]\d{0,4})?(/[\w.~-]+)*/?", re.ASCII)


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

    data_dir: str | os.PathLike | None
    host: str = "127.0.0.1"
    port: int = 6382
    public_url: str | None = None
    log_level: str = "info"

    def __post_init__(self):
        if not isinstance(self.port, int) or isinstance(self.port, bool) or not 0 <= self.port <= 65535:
            raise ValueError(f"port must be a number from 0 to 65535, not {self.port!r}")
        if self.log_level not in LOG_LEVELS:
            raise ValueError(f"log-level must be one of {', '.join(LOG_LEVELS)}, not {self.log_level!r}")
        if self.public_url is not None:
            if not isinstance(self.public_url, str) or not _PUBLIC_URL.fullmatch(self.public_url):
                raise ValueError(f"public-url must be like https://bridge.example, not {self.public_url!r}")
        if not isinstance(self.host, str) or not self.host:
            raise ValueError(f"host must be an address, such as 127.0.0.1, not {self.host!r}")
