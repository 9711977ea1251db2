"""Arrays and tables that are too large for the memory: mapped files with the same images as in memory."""

from __future__ import annotations

import numpy as np
import pytest

from mnistarena.builtin.datasets import arrays, table
from mnistarena.data import large
from mnistarena.data.dataset import fingerprint

from .reading import Reader, pixels, png, write

load = Reader(*arrays.arena_datasets(), *table.arena_datasets())


@pytest.fixture
def files(tmp_path, monkeypatch):
    """An npz file with three splits, a table of pixels, and one of image files; all arrays count as large."""
    splits = {"train": 9, "val": 4, "test": 6}
    content = {f"{split}_images": pixels(n, 5, 4, 3, seed=n) for split, n in splits.items()}
    np.savez_compressed(tmp_path / "own.npz", **content, **{f"{s}_labels": np.arange(n) % 2 for s, n in splits.items()})
    rows = ("ab"[n % 2] + "," + ",".join(map(str, row)) for n, row in enumerate(pixels(9, 12)))
    write(tmp_path / "pixels.csv", "label," + ",".join(f"p{n}" for n in range(12)), *rows)
    (tmp_path / "pics").mkdir()
    for number, image in enumerate(pixels(6, 5, 4)):
        (tmp_path / "pics" / f"{number}.png").write_bytes(png(image))
    write(
        tmp_path / "pics.csv",
        "file,label,split",
        *(f"{n}.png,{n // 2 % 2},{'train' if n < 4 else 'val'}" for n in range(6)),
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(large, "PART", 7)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("npz", {"path": "own.npz"}),
        ("npz", {"path": "own.npz", "test": "val"}),
        ("table", {"path": "pixels.csv", "channels": 3, "layout": "NHWC"}),
        ("table", {"path": "pics.csv", "images": "pics"}),
    ],
)
def test_what_is_too_large_for_the_memory_is_read_into_files(files, tmp_path, monkeypatch, name, params):
    in_memory = load(name, tmp_path, **params)
    monkeypatch.setattr(large, "SHARE", 0.0)
    in_files = load(name, tmp_path, **params)
    assert not isinstance(in_memory.train_images, np.memmap)
    assert isinstance(in_files.train_images, np.memmap)
    assert fingerprint(in_files) == fingerprint(in_memory)


def test_a_damaged_archive_is_told_when_it_is_read_into_a_file(files, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "SHARE", 0.0)
    path = tmp_path / "own.npz"
    np.savez(path, images=pixels(9, 5, 4), labels=np.arange(9) % 2)
    raw = bytearray(path.read_bytes())
    raw[200] ^= 1
    path.write_bytes(raw)
    assert f"npz: {path}: images cannot be read: Bad CRC-32" in load.refused("npz", tmp_path, path="own.npz")
