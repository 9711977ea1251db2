"""What a trial prints, written to its log."""

from __future__ import annotations

import io
from typing import Any


class _Log(io.FileIO):
    """A file that drops what cannot be written: on a full disk the training continues without its output."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def log_stream(descriptor: int) -> io.TextIOWrapper:
    """Text into an open file, line by line, that never fails."""
    raw = _Log(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), errors="replace", line_buffering=True)
