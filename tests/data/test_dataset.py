"""Splits are stratified, disjoint, the same everywhere; data that breaks its promise is refused."""

from __future__ import annotations

import dataclasses
import gzip
import http.client

import numpy as np
import pytest

from mnistarena import DataContext, DataError, Dataset
from mnistarena.builtin.datasets import digits, fashion_mnist
from mnistarena.data.dataset import channel_statistics, check_dataset, fingerprint
from mnistarena.data.idx import read_idx
from mnistarena.data.splits import SplitRule, split_dataset, stratified


def made(n_train=1000, n_test=200, classes=4):
    random = np.random.RandomState(0)
    return Dataset(
        random.randint(0, 256, (n_train, 1, 5, 6), dtype=np.uint8),
        random.choice(classes, n_train, p=[0.4, 0.3, 0.2, 0.1]).astype(np.int64),
        test_images=random.randint(0, 256, (n_test, 1, 5, 6), dtype=np.uint8),
        test_labels=random.choice(classes, n_test).astype(np.int64),
        class_names=tuple("abcd"),
    )


def test_a_split_is_disjoint_stratified_and_of_the_asked_size():
    whole = made()
    parts = split_dataset(whole, SplitRule(200, train_limit=500, test_limit=77))
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (500, 200, 77)
    assert not set(parts.train) & set(parts.validation)
    for rows in (parts.train, parts.validation):
        share = np.bincount(whole.train_labels[rows]) / len(rows)
        np.testing.assert_allclose(share, np.bincount(whole.train_labels) / 1000, atol=0.006)


def test_a_split_depends_on_its_seed_alone_and_limits_do_not_move_the_validation_images():
    whole = made()
    first = split_dataset(whole, SplitRule(200))
    limited = split_dataset(whole, SplitRule(200, train_limit=100, test_limit=50))
    other = split_dataset(whole, SplitRule(200, 1))
    assert np.array_equal(first.validation, limited.validation)
    assert not np.array_equal(first.validation, other.validation)
    # Frozen: every published identity rests on these indices.
    assert stratified(np.arange(20) % 2, 6, seed=0).tolist() == [1, 8, 10, 17, 18, 19]


def test_the_fingerprint_changes_with_one_pixel():
    one, two = made(), made()
    assert fingerprint(one) == fingerprint(two)
    two.test_images[3, 0, 2, 2] ^= 1
    assert fingerprint(one) != fingerprint(two)


def test_statistics_are_those_of_the_images():
    images = made().train_images
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std(axis=(0, 2, 3)), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"train_labels": np.zeros(999, np.int64)}, "1000 train images but 999 train labels"),
        ({"test_labels": np.full(200, 9)}, "test labels run from 9 to 9, but there are 4 classes"),
        ({"train_images": np.zeros((1000, 1, 5, 6))}, "train_images must be a uint8 array"),
        (
            {"train_images": np.zeros((0, 1, 5, 6), np.uint8), "train_labels": np.zeros(0, np.int64)},
            "train split is empty",
        ),
        ({"test_images": np.zeros((200, 1, 5, 5), np.uint8)}, "differ in shape"),
        ({"class_names": ("a",)}, "1 class; a classifier needs at least 2"),
    ],
)
def test_a_dataset_that_breaks_its_promise_is_refused(change, sentence):
    with pytest.raises(DataError, match=sentence):
        check_dataset(dataclasses.replace(made(), **change), "x")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_whose_channels_come_last_are_refused_with_the_remedy(channels):
    images = np.zeros((1000, 8, 6, channels), np.uint8)
    with pytest.raises(DataError) as caught:
        check_dataset(dataclasses.replace(made(), train_images=images, test_images=images[:200]), "x")
    for said in (
        f"train_images have the shape (1000, 8, 6, {channels}), which looks like (n, H, W, C)",
        "mnistarena wants (n, C, H, W)",
        f"images.transpose(0, 3, 1, 2) gives (1000, {channels}, 8, 6)",
        f"test_images have the shape (200, 8, 6, {channels})",
    ):
        assert said in str(caught.value)
    turned = images.transpose(0, 3, 1, 2)
    check_dataset(dataclasses.replace(made(), train_images=turned, test_images=turned[:200]), "x")


def test_narrow_images_whose_channels_come_second_are_accepted():
    images = np.zeros((1000, 3, 8, 3), np.uint8)
    whole = dataclasses.replace(made(), train_images=images, test_images=images[:200])
    assert check_dataset(whole, "x") is whole


def idx(tmp_path, content, name="file.gz"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    return path


HEADER = b"\0\0\x08\x02" + (2).to_bytes(4, "big") + (3).to_bytes(4, "big")


def test_idx_files_are_read_gzipped_or_not(tmp_path):
    for name in ("file.gz", "file"):
        assert read_idx(idx(tmp_path, HEADER + bytes(range(6)), name)).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (HEADER + b"12345", "is truncated"),
        (HEADER[:6], "is truncated"),
        (b"", "is not an IDX file"),
        (b"\0\0\x0d\x01" + b"x" * 20, "is not an IDX file"),
    ],
)
def test_a_damaged_idx_file_is_named(tmp_path, content, sentence):
    with pytest.raises(DataError, match=f"file.gz {sentence}"):
        read_idx(idx(tmp_path, content))
    with pytest.raises(DataError, match="expected abc"):
        read_idx(idx(tmp_path, content), sha256="abc")


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    (definition,), theirs = digits.arena_datasets(), load_digits()
    found = definition.load(definition.params(), DataContext(None))
    images = np.concatenate([found.train_images, found.test_images])[:, 0].reshape(-1, 64)
    labels = np.concatenate([found.train_labels, found.test_labels])
    ours = np.column_stack([np.rint(images * (16 / 255)), labels])
    expected = np.column_stack([theirs.data, theirs.target])
    assert sorted(map(tuple, ours)) == sorted(map(tuple, expected))


def test_digits_are_split_for_good():
    (definition,) = digits.arena_datasets()
    loaded = check_dataset(definition.load(definition.params(), DataContext(None)), "digits")
    assert loaded.train_images.shape == (1437, 1, 8, 8)
    assert loaded.test_images.shape == (360, 1, 8, 8)
    assert loaded.test_images.max() == 255


def test_fashion_mnist_that_is_not_here_names_files_folders_and_the_mend(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    with pytest.raises(DataError) as caught:
        fashion_mnist.load_fashion_mnist(fashion_mnist.NoParams(), DataContext(tmp_path, download=False))
    for part in ("train-images-idx3-ubyte.gz", str(tmp_path / "debian"), "dataset-fashion-mnist", "put the four files"):
        assert part in str(caught.value)


def test_fashion_mnist_whose_content_is_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for name in fashion_mnist.FASHION_DIGESTS:
        idx(folder, HEADER + bytes(6), name)
    with pytest.raises(DataError, match="is not the genuine file"):
        fashion_mnist.load_fashion_mnist(fashion_mnist.NoParams(), DataContext(tmp_path, download=False))


@pytest.mark.skipif(not fashion_mnist.DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_from_debians_package_is_genuine(tmp_path):
    loaded = fashion_mnist.load_fashion_mnist(fashion_mnist.NoParams(), DataContext(tmp_path, download=False))
    assert np.bincount(loaded.train_labels).tolist() == [6000] * 10


@pytest.mark.parametrize("problem", [ConnectionResetError(), http.client.IncompleteRead(b"")])
def test_fashion_mnist_says_why_its_download_failed(tmp_path, monkeypatch, problem):
    def fail(*args, **kwargs):
        raise problem

    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr("torchvision.datasets.FashionMNIST", fail)
    with pytest.raises(DataError, match=f"download failed .{type(problem).__name__}"):
        fashion_mnist.load_fashion_mnist(fashion_mnist.NoParams(), DataContext(tmp_path))
