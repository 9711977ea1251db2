"""log.txt: what a trial printed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mnistarena.errors import StoreError
from mnistarena.store.files import open_plain, open_unlinked
from mnistarena.text import visible

LOG_BYTES = 4 << 20
"""What is kept of a trial's output, in bytes: half from its beginning, half from its end."""


class TrialLog:
    """The output of one trial."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> int:
        """A file descriptor that appends; raises OSError."""
        return open_unlinked(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(self, output: bytes) -> None:
        """Add what the trial printed on another machine; on a full disk it is left out."""
        with suppress(OSError), os.fdopen(self.open(), "ab") as stream:
            stream.write(output)

    def trim(self) -> None:
        """Cut the middle out of an output that has grown past `LOG_BYTES`."""
        half = LOG_BYTES // 2
        with suppress(OSError), self.path.open("r+b") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size <= LOG_BYTES:
                return
            stream.seek(size - half)
            tail = stream.read(half)
            stream.seek(half)
            stream.write(f"\n… {size - LOG_BYTES:,} bytes of output left out …\n".encode() + tail)
            stream.truncate()

    def tail(self, size: int = 16384) -> str:
        """The last `size` bytes as text; empty where there are none."""
        with suppress(StoreError, OSError), open_plain(self.path) as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - size))
            return visible(stream.read(size).decode("utf-8", "replace"))
        return ""
