"""Your own arrays: `npz` reads them as they are, or say what is wrong with them."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from mnistarena.builtin.datasets import arrays

from .reading import Reader, four_arrays, pixels

RANDOM = np.random.RandomState(0)
load = Reader(*arrays.arena_datasets())
refused = load.refused


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 1, 2, 3), (0, 3, 1, 2)])
def test_an_npz_file_is_a_dataset_wherever_its_channels_are(tmp_path, axes):
    train, test = (RANDOM.randint(0, 256, (n, 5, 4, 3), dtype=np.uint8) for n in (6, 4))
    if len(axes) == 3:
        train, test = train[..., 0], test[..., 0]
    changes = {"train_images": train.transpose(axes), "test_images": test.transpose(axes)}
    np.savez(tmp_path / "own.npz", **four_arrays(**changes, class_names=np.array(["a", "b"])))
    loaded = load("npz", tmp_path, path="own.npz")
    assert loaded.class_names == ("a", "b")
    assert np.array_equal(loaded.test_images, test.transpose(0, 3, 1, 2) if test.ndim == 4 else test[:, None])


SHARES = np.linspace(0, 1, 120).reshape(6, 5, 4)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train_images": SHARES}, "train_images must be uint8, not float64 from 0 to 1: save (255 * train_images)"),
        ({"train_images": SHARES * 200}, "from 0 to 200: save train_images.round().astype(numpy.uint8)"),
        ({"train_images": SHARES - 1}, "from -1 to 0: save its values brought to 0 … 255, as numpy.uint8"),
        ({"test_images": np.zeros((4, 20), np.uint8)}, "test_images is (4, 20), not (n, height, width)"),
        ({"test_groups": np.arange(3)}, "there are 3 test_groups but 4 test_labels"),
        ({"train_groups": np.zeros(6)}, "train_groups must be whole numbers or texts (n,), not float64"),
        ({"test_names": np.arange(4)}, "test_names must be texts (n,), not int64"),
        (
            {"test_images": np.zeros((4, 5, 4, 2), np.uint8)},
            'neither of its second and last axes can be 1 or 3 channels; say which axis is which: layout = "NHWC"',
        ),
        ({"test_images": np.zeros((4, 3, 4, 3), np.uint8)}, "both of its second and last axes can be 1 or 3"),
        ({"test_images": np.zeros((0, 5, 4), np.uint8)}, "test_images is empty: (0, 5, 4)"),
        ({"test_images": np.zeros((4, 6, 4), np.uint8)}, "train images are 1 × 5 × 4 (channels, height, width), test"),
        ({"test_labels": np.array([0, 1, 1])}, "there are 4 test_images but 3 test_labels"),
        ({"test_labels": np.array([0, 1, 1, 0.5])}, "1 of 4 test_labels are not whole numbers: 0.5"),
        ({"test_labels": np.array([0, 1, 1e300, np.inf])}, "2 of 4 test_labels are not whole numbers: 1e+300, inf"),
        ({"test_labels": np.array([0, 1, 1, np.nan])}, "1 of 4 test_labels are not whole numbers: nan"),
        ({"test_labels": np.array([0, 1, -1, 5])}, "the labels are -1, 0, 1, 5, with gaps, where 0, 1, 2, … is usual"),
        ({"test_labels": np.array([0, 1, 2, 9])}, 'say so: class_names = { 0 = "…", 1 = "…", … }'),
        ({"test_labels": np.array(["a", "b", "a", "b"])}, "labels are of several kinds: int64 in train, <U1 in test"),
        ({"test_labels": np.array(["a", "b", " ", ""])}, "2 of 4 test_labels are empty"),
        ({"test_labels": np.zeros((4, 2, 2), int)}, "test_labels is (4, 2, 2), not (n,)"),
        ({"test_labels": np.array([[1, 1], [0, 1], [0, 0], [1, 0]])}, "2 of its rows are not one 1 among zeros: give"),
        ({"test_labels": np.zeros(4, "M8[D]")}, "test_labels must be whole numbers or names, not datetime64[D]"),
        ({"test_labels": np.zeros(4, int)}, "1 of 2 classes have no image in test: 1"),
        ({"train_labels": np.zeros(6, int), "test_labels": np.zeros(4, int)}, "there is one class only (0)"),
        (
            {"test_labels": np.array([0, 1, 2, 7]), "class_names": np.array(["a", "b"])},
            "2 of 4 test_labels are not a class, such as 2: 2 class_names are for labels 0 … 1",
        ),
        ({"class_names": np.array(["a", "a"])}, "class_names holds twice: a"),
        ({"class_names": np.arange(2)}, "class_names must be an array of str (n,), not int64 (2,)"),
        ({"class_names": np.array(["a", "b"], object)}, "holds pickled Python objects, which are never loaded"),
    ],
)
def test_arrays_that_are_no_dataset_are_refused(tmp_path, changes, sentence):
    np.savez(tmp_path / "own.npz", **four_arrays(**changes))
    said = refused("npz", tmp_path, path="own.npz")
    assert f"npz: {tmp_path / 'own.npz'}" in said
    assert sentence in said


def test_a_file_that_is_no_npz_file_or_lacks_arrays_is_refused(tmp_path):
    path = tmp_path / "own.npz"
    assert f"there is no file {path}" in refused("npz", tmp_path, path="own.npz")
    np.savez(path, train_images=np.zeros(3), y=np.zeros(3))
    said = refused("npz", tmp_path, path="own.npz")
    assert (
        'it has no train_labels; its arrays: train_images, y; say which is which: keys = { train_labels = "…" }' in said
    )
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    assert "is not an npz file, which numpy.savez_compressed writes, but one array of NumPy (.npy)" in refused(
        "npz", tmp_path, path="own.npz"
    )
    np.savez(path, **four_arrays())
    path.write_bytes(path.read_bytes()[:-100])
    assert "cannot be read" in refused("npz", tmp_path, path="own.npz")


# Arrays under other names, labels of other kinds


def test_medmnist_is_read_as_it_is_its_validation_images_among_those_to_train_on(tmp_path):
    arrays = {f"{split}_images": pixels(n, 5, 4, 3, seed=n) for split, n in (("train", 6), ("val", 2), ("test", 4))}
    labels = {f"{split}_labels": np.arange(n)[:, None] % 2 for split, n in (("train", 6), ("val", 2), ("test", 4))}
    np.savez(tmp_path / "own.npz", **arrays, **labels, notes=np.zeros(3))
    loaded = load("npz", tmp_path, path="own.npz")
    assert loaded.train_images.shape == (8, 3, 5, 4)
    assert loaded.validation_rows.tolist() == [6, 7]
    assert np.array_equal(loaded.train_images[7], arrays["val_images"][1].transpose(2, 0, 1))
    assert loaded.train_labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert [(one.name, one.reason) for one in loaded.left_out] == [("notes", "array that is not used")]
    tested = load("npz", tmp_path, path="own.npz", test="val")
    assert (len(tested.train_labels), len(tested.test_labels), tested.validation_rows) == (6, 2, None)
    assert [one.name for one in tested.left_out] == ["test_images", "test_labels", "notes"]
    said = load.refused("npz", tmp_path, path="own.npz", test="evaluation")
    assert "it has no evaluation_images and no evaluation_labels; its arrays: train_images, val_images" in said
    said = load.refused("npz", tmp_path, path="own.npz", train="test", test="test")
    assert "train, test and validation must be different names" in said


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({}, "x_train y_train x_test y_test"),
        ({}, "X_train y_train X_test y_test"),
        ({"train": "training", "test": "holdout"}, "training_images training_labels holdout_images holdout_labels"),
        ({"keys": {"train_images": "a", "train_labels": "b", "test_images": "c", "test_labels": "d"}}, "a b c d"),
        ({"keys": {"test_images": "c", "test_labels": "d"}}, "train_images train_labels c d"),
    ],
)
def test_arrays_are_found_by_their_usual_names_or_those_that_are_given(tmp_path, params, names):
    whole = four_arrays()
    np.savez(tmp_path / "own.npz", **dict(zip(names.split(), whole.values(), strict=True)))
    loaded = load("npz", tmp_path, path="own.npz", **params)
    for split in ("train", "test"):
        assert np.array_equal(getattr(loaded, f"{split}_images")[:, 0], whole[f"{split}_images"])
        assert np.array_equal(getattr(loaded, f"{split}_labels"), whole[f"{split}_labels"])
    assert loaded.left_out == ()


def test_an_array_that_cannot_be_told_is_asked_for(tmp_path):
    whole = four_arrays()
    np.savez(tmp_path / "own.npz", **whole, x_train=whole["train_images"])
    said = load.refused("npz", tmp_path, path="own.npz")
    assert "train_images and x_train of" in said
    assert 'may each be train_images; say which: keys = { train_images = "train_images" }' in said
    assert load("npz", tmp_path, path="own.npz", keys={"train_images": "x_train"}).left_out[0].name == "train_images"
    said = load.refused("npz", tmp_path, path="own.npz", keys={"train_images": "xtrain"})
    assert 'keys: train_images = "xtrain" is no array of' in said
    assert 'did you mean "x_train"?' in said
    whole = load("npz", tmp_path, path="own.npz", keys={"images": "x_train", "labels": "train_labels"})
    assert [one.name for one in whole.left_out] == ["train_images"]
    with pytest.raises(ValueError, match='"train_image" is no use of an array; did you mean "train_images"'):
        load("npz", tmp_path, path="own.npz", keys={"train_image": "x_train"})


@pytest.mark.parametrize("names", ["images labels", "X y", "train_images train_labels"])
def test_one_split_only_has_no_test_images(tmp_path, names):
    np.savez(tmp_path / "own.npz", **dict(zip(names.split(), (pixels(4, 5, 4), np.arange(4) % 2), strict=True)))
    loaded = load("npz", tmp_path, path="own.npz")
    assert loaded.train_labels.tolist() == [0, 1, 0, 1]
    assert loaded.test_images.shape == (0, 1, 5, 4)
    assert loaded.test_labels.shape == (0,)


TEXT = np.array(["dog", "cat", "dog", "cat", "owl", "owl"])


@pytest.mark.parametrize(
    ("labels", "class_names", "codes", "names"),
    [
        (TEXT, None, [1, 0, 1, 0, 2, 2], ("cat", "dog", "owl")),
        (TEXT.astype("S"), None, [1, 0, 1, 0, 2, 2], ("cat", "dog", "owl")),
        (TEXT, ["owl", "dog", "cat"], [1, 2, 1, 2, 0, 0], ("owl", "dog", "cat")),
        (TEXT, {"cat": "C", "dog": "D", "owl": "O"}, [1, 0, 1, 0, 2, 2], ("C", "D", "O")),
        (np.array(list("9120"))[[0, 1, 2, 3, 1, 0]], None, [3, 1, 2, 0, 1, 3], ("0", "1", "2", "9")),
        (np.eye(2, dtype=np.float32)[[0, 1, 1, 0, 0, 1]], None, [0, 1, 1, 0, 0, 1], ("0", "1")),
        (np.eye(2, dtype=bool)[[0, 1, 1, 0, 0, 1]], ["no", "yes"], [0, 1, 1, 0, 0, 1], ("no", "yes")),
        (np.arange(6) % 2 == 0, None, [1, 0, 1, 0, 1, 0], ("False", "True")),
        (np.arange(6) % 2 == 0, ["no", "yes"], [1, 0, 1, 0, 1, 0], ("no", "yes")),
        (np.arange(6.0) % 3 + 1, None, [0, 1, 2, 0, 1, 2], ("1", "2", "3")),
        (np.array([10, 2, 10, 2, -1, -1]), {"10": "x", "2": "b", "-1": "-"}, [2, 1, 2, 1, 0, 0], ("-", "b", "x")),
    ],
)  # fmt: skip
def test_labels_of_every_kind_are_classes_from_0(tmp_path, labels, class_names, codes, names):
    np.savez(tmp_path / "own.npz", images=pixels(6, 5, 4), labels=labels)
    loaded = load("npz", tmp_path, path="own.npz", class_names=class_names)
    assert loaded.train_labels.tolist() == codes
    assert loaded.class_names == names


@pytest.mark.parametrize(
    ("labels", "class_names", "sentence"),
    [
        (TEXT, ["cat", "dog"], "2 of 6 train_labels are not a class, such as owl: class_names has cat, dog"),
        (np.array(["caf\xe9", "cafe\u0301"] * 3), None, r"classes look the same: 'cafe\u0301' and 'caf\xe9'; write"),
        (np.array(["cat", "cat "] * 3), None, "names of classes look the same: 'cat' and 'cat '; write"),
        (TEXT, {"cat": "C", "dog": "C", "owl": "O"}, "class_names holds twice: C"),
    ],
)  # fmt: skip
def test_labels_that_are_no_classes_are_refused(tmp_path, labels, class_names, sentence):
    np.savez(tmp_path / "own.npz", images=pixels(6, 5, 4), labels=labels)
    said = load.refused("npz", tmp_path, path="own.npz", class_names=class_names)
    assert sentence in said


@pytest.mark.parametrize(("layout", "axes"), [("NHWC", (0, 2, 3, 1)), ("NCHW", (0, 1, 2, 3)), ("HWCN", (2, 3, 1, 0))])
def test_any_number_of_channels_is_read_where_the_layout_is_given(tmp_path, layout, axes):
    bands = pixels(6, 13, 5, 4)
    np.savez(tmp_path / "own.npz", images=bands.transpose(axes), labels=np.arange(6) % 2)
    assert np.array_equal(load("npz", tmp_path, path="own.npz", layout=layout).train_images, bands)


def test_groups_and_names_are_taken_from_the_arrays(tmp_path):
    further = {
        "train_patient": np.array(["p1", "p1", "p2", "p2", "p3", "p3"]),
        "test_patient": np.array(["p9", "p9", "p3", "p8"]),
        "train_names": np.array([f"{n}.png" for n in range(6)]),
        "test_names": np.array([f"t{n}.png" for n in range(4)]),
    }
    np.savez(tmp_path / "own.npz", **four_arrays(**further))
    loaded = load("npz", tmp_path, path="own.npz", groups="patient")
    assert loaded.train_groups[4] == loaded.train_groups[5] == loaded.test_groups[2]
    assert len(np.unique(np.concatenate([loaded.train_groups, loaded.test_groups]))) == 5
    assert list(loaded.test_names) == ["t0.png", "t1.png", "t2.png", "t3.png"]
    assert loaded.train_names[5] == "5.png"
    assert {one.name for one in load("npz", tmp_path, path="own.npz").left_out} == {"train_patient", "test_patient"}
    held = {"val_images": pixels(2, 5, 4), "val_labels": np.arange(2)}
    np.savez(tmp_path / "own.npz", **four_arrays(**further, **held))
    said = load.refused("npz", tmp_path, path="own.npz", groups="patient")
    assert "of the images to train on and to validate on, only one has groups" in said
    assert load("npz", tmp_path, path="own.npz").train_names[-2:] == ["validation row 1", "validation row 2"]
    said = load.refused("npz", tmp_path, path="own.npz", groups="person")
    assert 'own.npz has no array for groups = "person" of its training images' in said


def test_a_file_for_each_split_is_one_dataset(tmp_path):
    whole = four_arrays()
    for split in ("train", "test"):
        np.savez(tmp_path / f"{split}.npz", x=whole[f"{split}_images"], y=whole[f"{split}_labels"], z=np.zeros(1))
    loaded = load("npz", tmp_path, path={"train": "train.npz", "test": "test.npz"})
    assert np.array_equal(loaded.test_images[:, 0], whole["test_images"])
    assert [one.name for one in loaded.left_out] == ["train.npz: z", "test.npz: z"]
    np.savez(tmp_path / "test.npz", x=whole["test_images"] / 255, y=whole["test_labels"])
    said = load.refused("npz", tmp_path, path={"train": "train.npz", "test": "test.npz"})
    assert f"npz: {tmp_path / 'test.npz'}: x must be uint8, not float64 from 0" in said
    for path in ({"training": "train.npz"}, {"train": 1}, 3):
        with pytest.raises(ValueError, match='must be a file, or one a split, { train = "a"'):
            load("npz", tmp_path, path=path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>", "is an HTML page, not data"),
        (b"MATLAB 5.0 MAT-file" + bytes(200), 'but a MATLAB file; the dataset "mat" reads it'),
        (b"PAR1", 'but a Parquet file; the dataset "table" reads it'),
        (b"\x80\x04\x95", "but a pickle of Python"),
        (b"", "is empty (0 bytes)"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, content, sentence):
    (tmp_path / "own.npz").write_bytes(content)
    said = load.refused("npz", tmp_path, path="own.npz")
    assert said.startswith(f"npz: {tmp_path / 'own.npz'} is ")
    assert sentence in said


def test_a_zip_archive_of_other_files_is_no_npz_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        archive.writestr("cat/1.png", b"")
    assert "is a zip archive of other files, not of arrays; unpack it" in load.refused("npz", tmp_path, path="own.npz")


def test_home_is_written_as_in_a_shell(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "own.npz", **four_arrays())
    assert len(load("npz", tmp_path / "elsewhere", path="~/own.npz").test_labels) == 4
