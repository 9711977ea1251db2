"""Files that are written whole or not at all, and read only where they are plain files.

A run folder may come from a stranger or from a machine that died: nothing here follows a symbolic link,
opens a device, unpickles, or unpacks more than a bounded size.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import stat
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import StoreError, cannot_write

TEXT_BYTES = 64 << 20
"""The most that a text file of a run folder may hold."""

ARRAY_BYTES = 4 << 30
"""The most that an .npz file may unpack to."""


def write_atomically(path: Path, data: bytes | Callable[[IO[bytes]], object]) -> None:
    """Write a whole file, given as bytes or as what writes it, so that no reader ever sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            data(stream) if callable(data) else stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as problem:
        _remove(temporary)
        if isinstance(problem, OSError):
            raise cannot_write(path, problem) from problem
        raise


def _sync_folder(path: Path) -> None:
    # The rename itself lasts only when the folder that holds the name is on the disk too; some network
    # file systems refuse to sync a folder, and the file is safe there all the same.
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    with suppress(OSError):  # the error that is being handled is the one to report
        path.unlink(missing_ok=True)


def open_unlinked(path: Path, flags: int) -> int:
    """A descriptor of a file that is no symbolic link, for bytes; raises OSError."""
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link")
    others = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))
    return os.open(path, flags | sum(others), 0o644)


def open_plain(path: Path) -> IO[bytes]:
    """Open a regular file for reading; raises `StoreError` for a link, a device, a pipe, or none."""
    try:
        handle = open_unlinked(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise StoreError(f"{path} is missing") from None
    except OSError as problem:
        kind = "it is a symbolic link" if path.is_symlink() else problem.strerror
        raise StoreError(f"cannot read {path}: {kind}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise StoreError(f"cannot read {path}: it is not a plain file")
    return os.fdopen(handle, "rb")


def write_file(path: Path, data: str | bytes) -> None:
    """Write a file whole, its folder made where it is missing; raises `StoreError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise cannot_write(path, problem) from problem
    write_atomically(path, data.encode() if isinstance(data, str) else data)


def read_bytes(path: Path, limit: int = TEXT_BYTES) -> bytes:
    """A plain file's content; raises `StoreError` where it is more than `limit` bytes."""
    with open_plain(path) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise StoreError(f"cannot read {path}: more than {limit >> 20} MiB")
    return data


def digest(path: Path) -> str:
    """The SHA-256 of a plain file."""
    with open_plain(path) as stream:
        return sha256(stream)


def sha256(stream: IO[bytes]) -> str:
    """The SHA-256 of the rest of an open file."""
    found = hashlib.sha256()
    while part := stream.read(1 << 20):
        found.update(part)
    return found.hexdigest()


def to_json(value: Any) -> bytes:
    """Readable JSON, the same bytes for the same value: sorted keys, indented; a lone surrogate becomes `?`."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def from_json(data: bytes) -> Any:
    """JSON, where a number that is not finite (NaN, Infinity, 1e999) becomes None; raises ValueError."""

    def finite(text: str) -> float | None:
        value = float(text)
        return value if math.isfinite(value) else None

    try:
        return json.loads(data, parse_constant=lambda _: None, parse_float=finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as a compressed .npz; the same arrays give the same bytes."""
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise StoreError(f'the array "{name}" holds Python objects, which would have to be pickled')
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file; raises `StoreError` where it is missing, damaged or too large."""
    try:
        with open_plain(path) as stream:
            with zipfile.ZipFile(stream) as archive:
                if sum(member.file_size for member in archive.infolist()) > ARRAY_BYTES:
                    raise StoreError(f"cannot read {path}: it would unpack to more than {ARRAY_BYTES >> 20} MiB")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
    except StoreError:
        raise
    except Exception as problem:  # for a damaged file zipfile, zlib and numpy each raise exceptions of their own
        raise StoreError(f"cannot read {path}: {problem}") from problem
