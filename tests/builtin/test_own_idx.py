"""`idx` reads four files in MNIST's format, or the two of one split."""

from __future__ import annotations

import gzip

import numpy as np

from mnistarena.builtin.datasets import arrays

from ..helpers import idx
from .reading import Reader, four_arrays

load = Reader(*arrays.arena_datasets())
refused = load.refused


def write_idx(path, array):
    content = idx(array.astype(np.uint8))
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_four_idx_files_are_a_dataset(tmp_path):
    whole = four_arrays()
    params = {name: name + (".gz" if "train" in name else "") for name in whole}
    for name, array in whole.items():
        write_idx(tmp_path / params[name], array)
    loaded = load("idx", tmp_path, **params)
    assert np.array_equal(loaded.train_images[:, 0], whole["train_images"])
    assert loaded.class_names == ("0", "1")
    assert load("idx", tmp_path, **params, class_names=["no", "yes"]).class_names == ("no", "yes")
    said = refused("idx", tmp_path, **{**params, "test_images": params["test_labels"]})
    assert "idx: test_images is (4,), not (n, height, width)" in said
    said = refused("idx", tmp_path, **params, class_names=["a", "b", "c"])
    assert "1 of 3 classes have no image in train: c" in said
    train = {name: params[name] for name in ("train_images", "train_labels")}
    assert load("idx", tmp_path, **train).test_images.shape == (0, 1, 5, 4)
    said = refused("idx", tmp_path, **train, test_images=params["test_images"])
    assert said == "idx: of test_images and test_labels one is missing; name both files, or neither"
    (tmp_path / "test_labels").unlink()
    said = refused("idx", tmp_path, **params)
    assert f"idx: 1 of 4 files are missing: test_labels = {tmp_path / 'test_labels'}" in said
