"""Images that are too large for the memory: the same arrays, batches and predictions as in memory."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
import torch

from mnistarena import StoreError
from mnistarena.data import large
from mnistarena.data.arrays import read_array, write_arrays
from mnistarena.data.dataset import fingerprint
from mnistarena.data.draws import pooled, with_test
from mnistarena.data.splits import SplitRule, split_dataset
from mnistarena.engine.batches import Batches
from mnistarena.engine.chain import Chain
from mnistarena.plugin.components import Task

from .test_one_split import one_split


@pytest.fixture
def in_files(monkeypatch, tmp_path):
    """Every array of images is too large, and is gone through in parts of seven images."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(large, "SHARE", 0.0)
    monkeypatch.setattr(large, "PART", 7)


def test_divided_and_joined_images_are_those_of_memory(in_files, monkeypatch):
    in_file = with_test(one_split(), 0.2, 0)
    assert isinstance(in_file.train_images, np.memmap)
    assert isinstance(pooled(in_file).test_images, np.memmap)
    monkeypatch.setattr(large, "SHARE", 1.0)
    in_memory = with_test(one_split(), 0.2, 0)
    assert not isinstance(in_memory.train_images, np.memmap)
    assert fingerprint(in_file) == fingerprint(in_memory)
    assert fingerprint(pooled(in_file)) == fingerprint(pooled(in_memory))


def test_batches_from_a_file_are_those_of_memory(in_files, monkeypatch, tmp_path):
    data = with_test(one_split(), 0.2, 0)
    split = split_dataset(data, SplitRule(10))
    write_arrays(data, split, tmp_path / "arrays")
    images, labels = (read_array(tmp_path / "arrays", f"train_{name}") for name in ("images", "labels"))
    np.testing.assert_array_equal(images, data.train_images[split.train])
    task = Task(data.image_shape, 4, class_names=data.class_names, n_train=70)

    def batches() -> list[torch.Tensor]:
        found = Batches(images, labels, chain=Chain([], task), device=torch.device("cpu"), keep=False)
        in_order = [part.clone() for part, _ in found.in_order(16)]
        return [torch.cat([part for part, _ in found.epoch(16, 1, 2)]), torch.cat(in_order), found.stored]

    from_file = batches()
    monkeypatch.setattr(large, "SHARE", 1.0)
    in_memory = batches()
    for one, other in zip(from_file, in_memory, strict=True):
        assert torch.equal(one, other)
    assert from_file[2].data_ptr() == images.ctypes.data != in_memory[2].data_ptr()


def test_a_full_disk_is_one_sentence(in_files, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StoreError, match="cannot write 100 bytes of images in .*: No space left on device"):
        large.empty_images((100, 1, 1, 1))
