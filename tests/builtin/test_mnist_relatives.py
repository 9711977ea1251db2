"""MNIST's relatives are read from their original files, wherever these lie, and without torch."""

from __future__ import annotations

import bz2
import gzip
import string

import numpy as np
import pytest

from mnistarena import DataContext, DataError
from mnistarena.builtin.datasets import mnist_relatives
from mnistarena.data.dataset import check_dataset
from mnistarena.errors import MissingDataError

from ..helpers import idx

DEFINITIONS = {definition.name: definition for definition in mnist_relatives.arena_datasets()}
RANDOM = np.random.RandomState(0)


def write(folder, arrays):
    """Files by name: gzipped where the name says so."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = idx(np.asarray(array))
        (folder / name).write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)


def images(n, side=28):
    return RANDOM.randint(0, 256, (n, side, side), dtype=np.uint8)


def load(name, cache, **params):
    definition = DEFINITIONS[name]
    context = DataContext(cache, download=False)
    return check_dataset(definition.load(definition.params(**params), context), name)


def emnist(split, labels, suffix=""):
    return {
        f"emnist-{split}-{part}-{kind}-ubyte{suffix}": array
        for part in ("train", "test")
        for kind, array in (("images-idx3", images(len(labels))), ("labels-idx1", np.array(labels, np.uint8)))
    }


@pytest.mark.parametrize("folder", ["kmnist", "kmnist/KMNIST/raw"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_kmnist_is_found_where_hands_or_torchvision_put_it(tmp_path, folder, suffix):
    arrays = {
        f"{part}-{kind}-ubyte{suffix}": array
        for part in ("train", "t10k")
        for kind, array in (("images-idx3", images(10)), ("labels-idx1", np.arange(10, dtype=np.uint8)))
    }
    write(tmp_path / folder, arrays)
    loaded = load("kmnist", tmp_path)
    assert np.array_equal(loaded.test_images[:, 0], arrays[f"t10k-images-idx3-ubyte{suffix}"])
    assert (loaded.class_names[0], loaded.class_names[9]) == ("o", "wo")


@pytest.mark.parametrize("folder", ["emnist", "emnist/gzip", "emnist/EMNIST/raw"])
def test_emnists_images_are_turned_upright(tmp_path, folder):
    arrays = emnist("balanced", [0, 10, 36, 46], ".gz" if folder.endswith("gzip") else "")
    write(tmp_path / folder, arrays)
    loaded = load("emnist", tmp_path)
    stored = next(array for name, array in arrays.items() if "train-images" in name)
    assert loaded.train_images[2, 0, 3, 20] == stored[2, 20, 3]
    assert [loaded.class_names[label] for label in loaded.train_labels] == ["0", "A", "a", "t"]


def test_emnists_classes_are_those_of_each_split_and_count_from_0(tmp_path):
    last = {"byclass": "z", "bymerge": "t", "letters": "z", "digits": "9", "mnist": "9"}
    for split, name in last.items():
        n = len(mnist_relatives.EMNIST_CLASSES[split])
        first = 1 if split == "letters" else 0
        write(tmp_path / "emnist", emnist(split, [first, n - 1 + first]))
        loaded = load("emnist", tmp_path, split=split)
        assert loaded.train_labels.tolist() == loaded.test_labels.tolist() == [0, n - 1]
        assert loaded.class_names[-1] == name
    assert (
        "".join(mnist_relatives.EMNIST_CLASSES["byclass"])
        == string.digits + string.ascii_uppercase + string.ascii_lowercase
    )
    assert "".join(mnist_relatives.EMNIST_CLASSES["balanced"][36:]) == "abdefghnqrt"


def test_qmnists_test_is_the_first_10000_the_rest_or_all(tmp_path):
    table = np.zeros((10_003, 8), np.int32)
    table[:, 0], table[:, 1:] = np.arange(10_003) % 10, 70_000
    table[:, 2] = 3000 + np.arange(10_003) // 2
    write(
        tmp_path / "qmnist",
        {
            "qmnist-train-images-idx3-ubyte.gz": images(20, 2),
            "qmnist-train-labels-idx2-int.gz": table[:20],
            "qmnist-test-images-idx3-ubyte": images(10_003, 2),
            "qmnist-test-labels-idx2-int": table,
        },
    )
    assert load("qmnist", tmp_path).test_labels.tolist() == table[:10_000, 0].tolist()
    rest = load("qmnist", tmp_path, test="test50k")
    assert rest.test_labels.tolist() == [0, 1, 2]
    assert rest.test_groups.tolist() == [8000, 8000, 8001], "their writers"
    assert load("qmnist", tmp_path, test="test").test_images.shape == (10_003, 1, 2, 2)


def usps(values, labels):
    lines = (
        f"{label} " + " ".join(f"{i + 1}:{v:.6f}" for i, v in enumerate(row)) + " \n"
        for label, row in zip(labels, values, strict=True)
    )
    return bz2.compress("".join(lines).encode())


def test_usps_is_read_from_libsvms_text(tmp_path):
    grey = images(20, 16)
    (tmp_path / "usps").mkdir()
    for name in mnist_relatives.USPS_FILES:
        content = usps(grey.reshape(20, 256) / 127.5 - 1, np.arange(20) % 10 + 1)
        (tmp_path / "usps" / name).write_bytes(content)
    loaded = load("usps", tmp_path)
    assert np.array_equal(loaded.train_images[:, 0], grey)
    assert loaded.test_labels.tolist() == [*range(10)] * 2
    (tmp_path / "usps" / "usps.t.bz2").write_bytes(content[:-20])
    with pytest.raises(DataError, match=r"usps\.t\.bz2 is not a file of USPS, or is damaged"):
        load("usps", tmp_path)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_what_is_not_here_is_named_with_the_folders_and_the_mend(tmp_path, name):
    with pytest.raises(MissingDataError) as caught:
        load(name, tmp_path)
    sentence = str(caught.value)
    files = 2 if name == "usps" else 4
    assert sentence.count(".gz") + sentence.count(".bz2") == files
    assert f"were not found in {tmp_path / name}" in sentence
    assert f"put the {'two' if name == 'usps' else 'four'} files into {tmp_path / name}" in sentence


def test_one_missing_file_is_named_alone(tmp_path):
    write(tmp_path / "kmnist", dict.fromkeys(mnist_relatives.KMNIST_FILES[:3], np.zeros(1, np.uint8)))
    with pytest.raises(
        MissingDataError, match="kmnist: t10k-labels-idx1-ubyte.gz was not found in .*; put the file into"
    ):
        load("kmnist", tmp_path)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_missing_files_are_fetched_by_torchvision_into_the_cache(tmp_path, monkeypatch, name):
    asked = []

    def fetch(root, **options):
        asked.append(root)
        raise RuntimeError("Error downloading x:\nno route")

    monkeypatch.setattr(f"torchvision.datasets.{name.upper()}", fetch)
    definition = DEFINITIONS[name]
    with pytest.raises(MissingDataError, match=r"torchvision's download failed \(no route\); put the"):
        definition.load(definition.params(), DataContext(tmp_path))
    assert asked == [str(tmp_path / name)]


def test_torchvision_finds_the_same_files_and_reads_the_same(tmp_path):
    from torchvision import datasets

    write(tmp_path / "emnist" / "EMNIST" / "raw", emnist("letters", [1, 26]))
    mine, theirs = load("emnist", tmp_path, split="letters"), datasets.EMNIST(tmp_path / "emnist", "letters")
    assert np.array_equal(mine.train_images[:, 0], theirs.data.numpy().swapaxes(1, 2))
    assert [mine.class_names[label] for label in mine.train_labels] == [theirs.classes[n] for n in theirs.targets]

    tables = {
        f"qmnist-{part}-labels-idx2-int": np.full((9, 8), n, np.int32) for n, part in enumerate(("train", "test"))
    }
    tables["qmnist-test-labels-idx2-int"][4:, 2] = 3000  # another writer
    pixels = {f"qmnist-{part}-images-idx3-ubyte": images(9) for part in ("train", "test")}
    write(tmp_path / "qmnist" / "QMNIST" / "raw", {**tables, **pixels})
    mine, theirs = load("qmnist", tmp_path), datasets.QMNIST(tmp_path / "qmnist", what="test10k")
    assert np.array_equal(mine.test_images[:, 0], theirs.data)
    assert np.array_equal(mine.test_labels, theirs.targets[:, 0])

    (tmp_path / "usps").mkdir()
    for name in mnist_relatives.USPS_FILES:
        (tmp_path / "usps" / name).write_bytes(usps(RANDOM.uniform(-1, 1, (5, 256)), [1, 10, 3, 3, 2]))
    mine, theirs = load("usps", tmp_path), datasets.USPS(tmp_path / "usps", train=False)
    off = mine.test_images[:, 0] - theirs.data.astype(int)
    assert set(np.unique(off)) == {0, 1}, "it cuts off where we round"
    assert mine.test_labels.tolist() == theirs.targets


def test_validating_asks_for_neither_the_files_nor_torch(arena, write_spec, tmp_path):
    text = "[benchmark]\nname = 'x'\n" + "".join(f"[[dataset]]\nname = '{name}'\n" for name in DEFINITIONS)
    spec = write_spec(text + "[[model]]\nname = 'logistic-regression'\n")
    result = arena("validate", spec, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert result.status == 0, result.err
