"""`mat` reads what MATLAB wrote, such as SVHN's files, or says what the file is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from mnistarena.builtin.datasets import mat

from .reading import Reader

load = Reader(*mat.arena_datasets())
DIGITS = {str(n): str(n % 10) for n in range(1, 11)}
FILES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}


def svhn(folder, n_train=20, n_test=10):
    """Both files of SVHN, their images as `(n, C, H, W)`; in the files label 10 is the digit 0."""
    images = {}
    for (split, file), n in zip(FILES.items(), (n_train, n_test), strict=True):
        images[split] = np.random.RandomState(n).randint(0, 256, (n, 3, 8, 6), dtype=np.uint8)
        labels = (np.arange(n) % 10 + 1)[:, None].astype(np.uint8)
        savemat(folder / file, {"X": images[split].transpose(2, 3, 1, 0), "y": labels}, do_compression=True)
    return images


def test_svhns_files_are_a_dataset_of_ten_digits(tmp_path):
    images = svhn(tmp_path)
    loaded = load("mat", tmp_path, path=FILES, class_names=DIGITS)
    assert np.array_equal(loaded.train_images, images["train"])
    assert np.array_equal(loaded.test_images, images["test"])
    assert loaded.class_names == (*"123456789", "0")
    assert [loaded.class_names[label] for label in loaded.test_labels] == list("1234567890")
    assert load("mat", tmp_path, path=FILES).class_names == tuple(map(str, range(1, 11)))


def test_one_file_may_hold_all_under_names_of_its_own_and_texts_in_cells(tmp_path):
    grey = np.random.RandomState(0).randint(0, 256, (6, 5, 4), dtype=np.uint8)
    labels = np.array(["dog", "cat"] * 3, dtype=object)[:, None]
    savemat(tmp_path / "own.mat", {"faces": grey.transpose(1, 2, 0), "kind": labels, "note": "made in 2001"})
    loaded = load("mat", tmp_path, path="own.mat", keys={"images": "faces", "labels": "kind"})
    assert np.array_equal(loaded.train_images[:, 0], grey)
    assert loaded.train_labels.tolist() == [1, 0, 1, 0, 1, 0]
    assert loaded.class_names == ("cat", "dog")
    assert [one.name for one in loaded.left_out] == ["note"]


def test_axes_that_cannot_be_told_are_asked_for(tmp_path):
    square = np.random.RandomState(0).randint(0, 256, (6, 5, 6), dtype=np.uint8)
    savemat(tmp_path / "own.mat", {"X": square, "y": np.arange(6) % 2})
    said = load.refused("mat", tmp_path, path="own.mat")
    assert "X is (6, 5, 6), for 6 labels: both of its first and last axes may be images; say which" in said
    last = load("mat", tmp_path, path="own.mat", layout="HWCN")
    assert np.array_equal(last.train_images[:, 0], square.transpose(2, 0, 1))
    assert np.array_equal(load("mat", tmp_path, path="own.mat", layout="NHWC").train_images[:, 0], square)
    savemat(tmp_path / "own.mat", {"X": square, "y": np.arange(4) % 2})
    assert "for 4 labels: neither of its first and last axes" in load.refused("mat", tmp_path, path="own.mat")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(600),
            "is a MATLAB file of version 7.3 (HDF5), which is not",
        ),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "is an HDF5 file, which is not read: save it again in MATLAB with save("),
        (b"PK\x03\x04", "is not a file of MATLAB but a zip archive"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS, not data; fetch what it points to"),
        (b"MATLAB 5.0 MAT-file" + bytes(40), "cannot be read: "),
    ],
)
def test_a_file_that_scipy_cannot_read_is_named_with_the_remedy(tmp_path, content, sentence):
    (tmp_path / "own.mat").write_bytes(content)
    assert f"mat: {tmp_path / 'own.mat'} {sentence}" in load.refused("mat", tmp_path, path="own.mat")


def test_a_damaged_file_is_named(tmp_path):
    svhn(tmp_path)
    path = tmp_path / FILES["test"]
    path.write_bytes(path.read_bytes()[:-200])
    assert f"mat: {path}" in load.refused("mat", tmp_path, path=FILES)
    path.unlink()
    assert f"mat: there is no file {path}" in load.refused("mat", tmp_path, path=FILES)
