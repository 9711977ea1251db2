"""CIFAR, SVHN and MedMNIST are read from their original files; pickles without running what stands in them."""

from __future__ import annotations

import os
import pickle
import sys
import types

import numpy as np
import pytest
from scipy.io import savemat

from mnistarena import DataContext, DataError
from mnistarena.builtin.datasets import cifar, medmnist, svhn
from mnistarena.data.dataset import check_dataset
from mnistarena.errors import MissingDataError

DEFINITIONS = {d.name: d for module in (cifar, svhn, medmnist) for d in module.arena_datasets()}
FLAG = {"medmnist": {"flag": "bloodmnist"}}


def load(name, cache, *, download=False, **params):
    definition = DEFINITIONS[name]
    context = DataContext(cache, download)
    return check_dataset(definition.load(definition.params(**{**FLAG.get(name, {}), **params}), context), name)


def python2(value):
    """A value as Python 2 pickled it, which wrote CIFAR's files: texts are bytes, arrays hold them."""
    if isinstance(value, dict):
        return b"(d" + b"".join(python2(key) + python2(entry) + b"s" for key, entry in value.items())
    if isinstance(value, list):
        return b"(l" + b"".join(python2(entry) + b"a" for entry in value)
    if isinstance(value, int):
        return b"I%d\n" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"S" + repr(value)[1:].encode() + b"\n"
    shape = b"".join(b"I%d\n" % n for n in value.shape)
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    kind = b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
    return made + b"(I1\n(" + shape + b"t" + kind + b"I00\n" + python2(value.tobytes()) + b"tb"


def batch(folder, name, labels, seed):
    """A batch of CIFAR with the labels of each key; returns its images `(n, 3, 32, 32)`."""
    n = len(next(iter(labels.values())))
    images = np.random.RandomState(seed).randint(0, 256, (n, 3, 32, 32), dtype=np.uint8)
    names = [f"{name}_{number}.png" for number in range(n)]
    folder.mkdir(parents=True, exist_ok=True)
    content = {"data": images.reshape(n, -1), "filenames": names, "batch_label": name, **labels}
    (folder / name).write_bytes(python2(content) + b".")
    return images


def cifar10(folder):
    images = [batch(folder, f"data_batch_{n}", {"labels": [0, 1, n]}, n) for n in range(1, 6)]
    images.append(batch(folder, "test_batch", {"labels": [5, 4, 3, 2, 1, 0]}, 6))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog"]
    (folder / "batches.meta").write_bytes(python2({"label_names": names, "num_vis": 3072}) + b".")
    return images


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-py"])
def test_cifar10_is_read_where_hands_or_torchvision_put_it_as_torchvision_reads_it(tmp_path, monkeypatch, inner):
    images = cifar10(tmp_path / "cifar10" / inner)
    loaded = load("cifar10", tmp_path)
    assert np.array_equal(loaded.train_images, np.concatenate(images[:5]))
    assert loaded.train_labels.tolist() == [0, 1, 1, 0, 1, 2, 0, 1, 3, 0, 1, 4, 0, 1, 5]
    assert loaded.class_names[3] == "cat"
    assert loaded.test_names[2] == "test_batch_2.png"
    if inner:
        from torchvision.datasets import CIFAR10

        for check in ("_check_integrity", "_load_meta"):
            monkeypatch.setattr(CIFAR10, check, lambda self: True)
        theirs = CIFAR10(str(tmp_path / "cifar10"), train=False)
        assert np.array_equal(loaded.test_images.transpose(0, 2, 3, 1), theirs.data)
        assert loaded.test_labels.tolist() == theirs.targets


def test_cifar100_has_fine_and_coarse_labels(tmp_path):
    folder = tmp_path / "cifar100" / "cifar-100-python"
    for seed, name in enumerate(("train", "test")):
        batch(folder, name, {"fine_labels": [0, 1, 2, 3], "coarse_labels": [0, 1, 1, 0]}, seed)
    names = {"fine_label_names": ["apple", "bee", "fly", "pear"], "coarse_label_names": ["fruit", "insects"]}
    (folder / "meta").write_bytes(python2(names) + b".")
    assert load("cifar100", tmp_path).class_names == ("apple", "bee", "fly", "pear")
    coarse = load("cifar100", tmp_path, labels="coarse")
    assert coarse.class_names == ("fruit", "insects")
    assert coarse.train_labels.tolist() == [0, 1, 1, 0]


class Evil:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pickle.dumps(Evil()), "it asks for posix.mkdir, which CIFAR's files do not"),
        (pickle.dumps([1]), "it holds list; get it again"),
        (pickle.dumps({"data": 1}), "it has no data (n, 3072) of bytes; get it again"),
        (python2({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 6]}) + b".", "it has no labels from 0 to 5"),
        (b"\x80\x02nonsense", "or is damaged ("),
        (b"<html>", "is an HTML page, not data"),
    ],
)
def test_a_pickle_that_is_not_cifars_is_refused_and_nothing_in_it_runs(tmp_path, monkeypatch, content, sentence):
    monkeypatch.chdir(tmp_path)
    cifar10(tmp_path / "cifar10")
    (tmp_path / "cifar10" / "data_batch_3").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load("cifar10", tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'cifar10' / 'data_batch_3'} is ")
    assert sentence in str(caught.value)
    assert not (tmp_path / "made-by-a-pickle").exists()


def test_svhns_ten_is_the_digit_0_as_torchvision_reads_it(tmp_path, monkeypatch):
    (tmp_path / "svhn").mkdir()
    images = np.random.RandomState(0).randint(0, 256, (20, 3, 32, 32), dtype=np.uint8)
    for file in svhn.FILES.values():
        labels = np.arange(1, 21, dtype=np.uint8)[:, None] % 10
        content = {"X": images.transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels)}
        savemat(tmp_path / "svhn" / file, content, do_compression=True)
    loaded = load("svhn", tmp_path)
    assert np.array_equal(loaded.test_images, images)
    assert loaded.class_names == tuple("0123456789")
    from torchvision.datasets import SVHN

    monkeypatch.setattr(SVHN, "_check_integrity", lambda self: True)
    assert loaded.test_labels.tolist() == SVHN(str(tmp_path / "svhn"), split="test").labels.tolist()
    savemat(tmp_path / "svhn" / svhn.FILES["test"], {"y": np.zeros(3)})
    with pytest.raises(DataError, match=r"test_32x32\.mat has no array X; its arrays: y"):
        load("svhn", tmp_path)


@pytest.mark.parametrize(("flag", "size"), [("bloodmnist", 28), ("pneumoniamnist", 64)])
def test_medmnist_has_its_own_validation_images_and_the_names_of_its_classes(tmp_path, flag, size):
    n, shape = len(medmnist.CLASSES[flag]), (size, size, 3) if flag == "bloodmnist" else (size, size)
    counts = {"train": 3 * n, "val": n, "test": 2 * n}
    images = {split: np.full((count, *shape), count, np.uint8) for split, count in counts.items()}
    arrays = {f"{split}_images": of for split, of in images.items()}
    arrays |= {f"{split}_labels": np.arange(count)[:, None] % n for split, count in counts.items()}
    (tmp_path / "medmnist").mkdir()
    np.savez(tmp_path / "medmnist" / (f"{flag}.npz" if size == 28 else f"{flag}_{size}.npz"), **arrays)
    loaded = load("medmnist", tmp_path, flag=flag, size=size)
    assert loaded.train_images.shape == (4 * n, 3 if len(shape) == 3 else 1, size, size)
    assert loaded.validation_rows.tolist() == list(range(3 * n, 4 * n))
    assert loaded.class_names == medmnist.CLASSES[flag]
    assert loaded.licence == "CC BY 4.0"


@pytest.mark.parametrize("name", DEFINITIONS)
def test_missing_files_are_fetched_by_their_packages_into_the_cache_else_named(tmp_path, monkeypatch, name):
    asked = []

    def fetch(root, **options):
        asked.append(root)
        raise RuntimeError("Error downloading x:\nno route")

    package = types.SimpleNamespace(INFO={"bloodmnist": {"python_class": "Blood"}}, Blood=lambda **o: fetch(**o))
    monkeypatch.setitem(sys.modules, "medmnist", package)
    if name != "medmnist":
        monkeypatch.setattr(f"torchvision.datasets.{name.upper()}", fetch)
    with pytest.raises(MissingDataError) as caught:
        load(name, tmp_path, download=True)
    by = "medmnist" if name == "medmnist" else "torchvision"
    assert f"{by}'s download failed (no route); put the " in str(caught.value)
    assert f"into {tmp_path / name}" in str(caught.value)
    assert asked == [str(tmp_path / name)]
    monkeypatch.setitem(sys.modules, "medmnist", None)
    if name == "medmnist":
        with pytest.raises(MissingDataError, match="it needs the package medmnist: pip install medmnist"):
            load(name, tmp_path, download=True)
