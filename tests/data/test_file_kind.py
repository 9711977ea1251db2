"""What lies there in place of data is named, with the remedy; compressed files are read whole."""

from __future__ import annotations

import numpy as np
import pytest

from mnistarena import DataError
from mnistarena.data.idx import read_idx

from ..helpers import packed

CONTENT = b"\0\0\x08\x01" + (6).to_bytes(4, "big") + bytes(range(6))
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    "raw",
    [
        packed(CONTENT[:9]) + packed(b"") + packed(CONTENT[9:]),
        packed(CONTENT) + bytes(512),
    ],
    ids=["members", "padded"],
)
def test_all_members_of_a_gzip_file_are_read(tmp_path, raw):
    (tmp_path / "labels.gz").write_bytes(raw)
    assert read_idx(tmp_path / "labels.gz").tolist() == list(range(6))


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "is empty (0 bytes); get it again"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", "is an HTML page, not data; get the file itself: open"),
        (POINTER, "is a pointer of Git LFS, not data; fetch what it points to: git lfs pull"),
        (packed(packed(CONTENT)), "was compressed twice with gzip; decompress it once"),
        (packed(CONTENT)[:-9], "is damaged (it ends too early); get it again"),
        (packed(CONTENT) + b"tail", "is damaged (4 bytes after its end are no gzip data); get it again"),
        (packed(b"<html>"), "is not an IDX file of bytes or 32-bit integers but an HTML page"),
        (b"PK\x03\x04" + bytes(20), "is not an IDX file of bytes or 32-bit integers but a zip archive"),
        ("label,pixel0\nä,1\n".encode(), "is not an IDX file of bytes or 32-bit integers but text"),
        (b"\x01\x02\xfe\xff\x00", r"is not an IDX file of bytes or 32-bit integers; it begins with b'\x01\x02"),
    ],
)
def test_what_is_no_data_is_named_with_the_remedy(tmp_path, raw, sentence):
    path = tmp_path / "train-images"
    path.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert f"{path} {sentence}" in str(caught.value)


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(DataError, match="is a folder, not a file"):
        read_idx(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(DataError, match="but one array of NumPy"):
        read_idx(tmp_path / "x.npy")
