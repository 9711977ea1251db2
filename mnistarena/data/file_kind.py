"""What a file is, told from its first bytes: so that a refusal says what lies there in place of data."""

from __future__ import annotations

import zlib
from pathlib import Path

from mnistarena.errors import DataError

GZIP = b"\x1f\x8b"
HEAD = 1024
"""Bytes that tell what a file is."""

AGAIN = "get the file itself: open the address in a browser, or log in, and save what it offers"
NOT_DATA = {
    "an HTML page": AGAIN,
    "an XML page": AGAIN,
    "a pointer of Git LFS": "fetch what it points to: git lfs pull",
}
"""What is often saved in place of data, and what to do."""

HINTS = {
    "a MATLAB file": 'the dataset "mat" reads it',
    "a Parquet file": 'the dataset "table" reads it',
    "a PNG image": 'the dataset "image-folder" reads it',
    "a JPEG image": 'the dataset "image-folder" reads it',
    "a zip archive": "unpack it",
    "a tar archive": "unpack it",
    "text in UTF-16": "save it as UTF-8",
}
"""What to do with a file of a kind that a reader does not want."""

_BEGINNINGS = (
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS"),
    (GZIP, "a gzip file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"(\xb5/\xfd", "a zstd file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"\x93NUMPY", "one array of NumPy (.npy)"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x80\x02", "a pickle of Python"),
    (b"\x80\x03", "a pickle of Python"),
    (b"\x80\x04", "a pickle of Python"),
    (b"\x80\x05", "a pickle of Python"),
)


def kind_of(head: bytes) -> str:
    """What a file is, by its first `HEAD` bytes, such as "a zip archive"; "" where they do not tell."""
    if head.startswith(b"MATLAB"):
        # Of version 5 and 7 the header is text, 116 bytes; a v7.3 file is HDF5 behind such a header.
        return "a MATLAB file of version 7.3 (HDF5)" if b"7.3" in head[:20] else "a MATLAB file"
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[257:262] == b"ustar":
        return "a tar archive"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    return "an XML page" if text.startswith(b"<?xml") else ""


def read_head(path: Path) -> bytes:
    """The first bytes of a file that holds data, whatever its format.

    Raises `DataError` where there is no file, where it is a folder, cannot be opened or is empty, and where it is what
    is often saved in place of data: a page of a website, a pointer of Git LFS.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a file") from None
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}") from problem
    if not head:
        raise DataError(f"{path} is empty (0 bytes); get it again")
    if (kind := kind_of(head)) in NOT_DATA:
        raise DataError(f"{path} is {kind}, not data; {NOT_DATA[kind]}")
    return head


def unlike(path: Path, head: bytes, wanted: str) -> DataError:
    """The error for a file that is not what a reader wants, `wanted` being such as "an npz file"."""
    kind = kind_of(head) or ("text" if _is_text(head) else "")
    hint = f"; {HINTS[kind]}" if kind in HINTS else ""
    return DataError(f"{path} is not {wanted}" + (f" but {kind}{hint}" if kind else f"; it begins with {head[:8]!r}"))


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as problem:
        if problem.start < len(head) - 3:
            return False
        text = head[: problem.start].decode("utf-8")
    return all(character.isprintable() or character.isspace() for character in text)


def read_file(path: Path) -> tuple[bytes, str]:
    """A file's content, decompressed where it is a gzip file; and what is wrong with the compression, or "".

    Raises as `read_head` does, and where the file was compressed twice.
    """
    head = read_head(path)
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror}") from problem
    if not head.startswith(GZIP):
        return raw, ""
    content, damage = gunzipped(raw)
    if content.startswith(GZIP):
        raise DataError(f"{path} was compressed twice with gzip; decompress it once, such as with gunzip")
    return content, damage


def gunzipped(raw: bytes) -> tuple[bytes, str]:
    """What a gzip file holds, all its members, as far as it can be read; and what is wrong with it, or "".

    Zeros after the last member are padding.
    """
    parts: list[bytes] = []
    rest = raw
    while rest.startswith(GZIP):
        stream, ahead = zlib.decompressobj(wbits=31), memoryview(rest)
        try:
            while len(ahead) and not stream.eof:
                parts.append(stream.decompress(ahead[: 1 << 16]))
                ahead = ahead[1 << 16 :]
        except zlib.error as problem:
            return b"".join(parts), str(problem)
        if not stream.eof:
            return b"".join(parts), "it ends too early"
        rest = stream.unused_data + bytes(ahead)
    damage = f"{len(rest)} bytes after its end are no gzip data" if rest.strip(b"\0") else ""
    return b"".join(parts), damage
