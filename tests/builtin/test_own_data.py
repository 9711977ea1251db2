"""Your own images: read whole, or refused with a sentence that names and counts what is wrong."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pytest
from PIL import Image

from mnistarena import DataContext, DataError
from mnistarena.builtin.datasets import arrays, image_folder
from mnistarena.data.dataset import check_dataset

from ..helpers import idx

DEFINITIONS = {d.name: d for d in (*image_folder.arena_datasets(), *arrays.arena_datasets())}
RANDOM = np.random.RandomState(0)


def load(name, base, **params):
    definition = DEFINITIONS[name]
    loaded = definition.load(definition.params(**params), DataContext(base / "cache", base_dir=base))
    return check_dataset(loaded, name)


def refused(name, base, **params):
    with pytest.raises(DataError) as caught:
        load(name, base, **params)
    return str(caught.value)


# Image files


def picture(path, pixels=None, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(RANDOM.randint(0, 256, (6, 5), dtype=np.uint8) if pixels is None else pixels)
    (image.convert(mode) if mode else image).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    """Two classes, three images each to train and two to test on, 6 × 5 and grey."""
    root = tmp_path / "pets"
    for split, n in (("train", 3), ("test", 2)):
        for name in ("dog", "cat"):
            for i in range(n):
                picture(root / split / name / f"{i}.png")
    return root


def test_a_folder_of_images_is_a_dataset_with_sorted_classes(folder, tmp_path):
    (folder / "train" / "cat" / "notes.txt").write_text("not an image")
    (folder / "train" / "cat" / ".hidden.png").write_text("not an image")
    (folder / "train" / ".cache").mkdir()
    picture(folder / "train" / "cat" / "2.gif")  # a palette, and all of it grey
    (folder / "train" / "cat" / "2.png").unlink()
    loaded = load("image-folder", tmp_path, path="pets")
    assert loaded.class_names == ("cat", "dog")
    assert loaded.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert loaded.train_images.shape == (6, 1, 6, 5)
    assert np.array_equal(loaded.test_images[3, 0], np.asarray(Image.open(folder / "test" / "dog" / "1.png")))


def test_colours_sizes_and_orientation_are_made_one_where_asked(folder, tmp_path):
    picture(folder / "train" / "dog" / "large.jpg", np.full((20, 12, 3), (255, 0, 0), np.uint8))
    said = refused("image-folder", tmp_path, path="pets", channels=3)
    assert "its images have 2 sizes, height × width (images): 6 × 5 (10), 20 × 12 (1); set size" in said
    said = refused("image-folder", tmp_path, path="pets", size=8)
    assert "10 images are grey, 1 are coloured; set channels to 1 or 3" in said
    loaded = load("image-folder", tmp_path, path="pets", size=[8, 4], channels=3)
    assert loaded.train_images.shape == (7, 3, 8, 4)
    red = loaded.train_images[6]
    assert red[0].min() > 250
    assert red[1:].max() < 5


def test_transparency_is_laid_over_white_and_a_camera_held_on_its_side_is_turned(folder, tmp_path):
    clear = np.zeros((6, 5, 4), np.uint8)
    clear[0, 0] = (0, 0, 0, 255)
    picture(folder / "train" / "cat" / "0.png", clear)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.zeros((5, 6), np.uint8)
    turned[:, 0] = 255
    picture(folder / "train" / "cat" / "1.png", turned, exif=exif)
    loaded = load("image-folder", tmp_path, path="pets", channels=1)
    assert loaded.train_images[0, 0, 0, 0] == 0
    assert (loaded.train_images[0, 0].ravel()[1:] == 255).all()
    assert loaded.train_images[1, 0].tolist() == [[255] * 5] + [[0] * 5] * 5


def remove(*paths):
    return lambda root: [shutil.rmtree(root / path) for path in paths]


def broken(root):
    for i in range(4):
        (root / "train" / "cat" / f"bad{i}.png").write_bytes(b"GIF, or so it says")


def truncated(root):
    path = root / "test" / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:-30])


def deep(root):
    picture(root / "test" / "dog" / "x.png", np.full((6, 5), 40_000, np.uint16))


def emptied(root):
    for path in (root / "test" / "dog").iterdir():
        path.rename(path.with_suffix(".raw"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (remove("."), "there is no such folder"),
        (remove("test"), "it has no folder test/; its folders: train"),
        (remove("train/cat", "train/dog"), "train/ holds no folder of a class"),
        (remove("train/cat"), "1 of 2 classes are in test/ but not in train/: cat"),
        (remove("test/dog"), "1 of 2 classes are in train/ but not in test/: dog"),
        (remove("train/cat", "test/cat"), "there is one class only (dog)"),
        (emptied, "1 folders of classes hold no image (.png .jpg"),
        (
            broken,
            "4 of 14 images cannot be read: train/cat/bad0.png (not an image), train/cat/bad1.png (not an image), ",
        ),
        (broken, "train/cat/bad2.png (not an image) and 1 more"),
        (truncated, "1 of 10 images cannot be read: test/dog/1.png ("),
        (deep, "1 images have more than 8 bits a channel; convert them to 8: test/dog/x.png"),
    ],
)
def test_a_folder_that_is_no_dataset_is_refused(folder, tmp_path, change, sentence):
    change(folder)
    said = refused("image-folder", tmp_path, path="pets")
    assert said.startswith(f"image-folder: {folder}: ")
    assert sentence in said


# Arrays


def four_arrays(**changes):
    """Two classes, six images to train and four to test on."""
    random = np.random.RandomState(1)
    return {
        "train_images": random.randint(0, 256, (6, 5, 4), dtype=np.uint8),
        "train_labels": np.arange(6, dtype=np.uint8) % 2,
        "test_images": random.randint(0, 256, (4, 5, 4), dtype=np.uint8),
        "test_labels": np.arange(4) % 2,
        **changes,
    }


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
        ({"test_images": np.zeros((4, 5, 4, 2), np.uint8)}, "neither of its second and last axes can be 1 or 3"),
        ({"test_images": np.zeros((4, 3, 4, 3), np.uint8)}, "both of its second and last axes can be 1 or 3"),
        ({"test_images": np.zeros((0, 5, 4), np.uint8)}, "test_images is empty: (0, 5, 4)"),
        ({"test_images": np.zeros((4, 6, 4), np.uint8)}, "train_images are 1 × 5 × 4 (channels, height, width), test"),
        ({"test_labels": np.array([0, 1, 1])}, "there are 4 test_images but 3 test_labels"),
        ({"test_labels": np.array([0, 1, 1, 0.5])}, "1 of 4 test_labels are not whole numbers: 0.5"),
        ({"test_labels": np.array([0, 1, 1, np.nan])}, "1 of 4 test_labels are not whole numbers: nan"),
        ({"test_labels": np.array([0, 1, -1, -2])}, "2 of 4 test_labels are outside of 0 … 9999: -1, -2"),
        ({"test_labels": np.array(["a", "b", "a", "b"])}, "test_labels must be whole numbers, not <U1"),
        ({"test_labels": np.eye(4)}, "test_labels is (4, 4), not (n,)"),
        ({"test_labels": np.zeros(4, int)}, "1 of 2 classes have no image in test: label 1"),
        (
            {"train_labels": np.arange(6) % 2 + 1, "test_labels": np.arange(4) % 2 + 1},
            "1 of 3 classes have no image in train: label 0; labels count from 0",
        ),
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
    assert "has no train_labels, test_images, test_labels; it has train_images, y" in said
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    assert "holds a single array" in refused("npz", tmp_path, path="own.npz")
    np.savez(path, **four_arrays())
    path.write_bytes(path.read_bytes()[:-100])
    assert "cannot be read" in refused("npz", tmp_path, path="own.npz")


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
    assert "1 of 3 classes have no image in train: label 2" in said
    (tmp_path / "test_labels").unlink()
    said = refused("idx", tmp_path, **params)
    assert f"idx: 1 of 4 files are missing: test_labels = {tmp_path / 'test_labels'}" in said


# From a spec

SPEC = """
[benchmark]
name = "pets"
[[dataset]]
name = "image-folder"
params = { path = "pets" }
[[model]]
name = "logistic-regression"
"""


def test_a_run_finds_the_folder_beside_the_spec_and_so_does_verify_after_a_move(arena, folder, tmp_path, write_spec):
    (tmp_path / "elsewhere").mkdir()
    project = tmp_path / "project"
    project.mkdir()
    folder.rename(project / "pets")
    spec = write_spec(SPEC, "project/pets.toml")
    result = arena("run", spec, "--out", project / "runs" / "pets", cwd=tmp_path / "elsewhere")
    assert result.status == 0, result.out + result.err
    moved = project.rename(tmp_path / "moved")
    result = arena("verify", moved / "runs" / "pets", cwd=tmp_path / "elsewhere")
    assert "run again: predictions, history and weights bit-identical" in result.out
    assert result.status == 0


def test_validate_says_what_is_wrong_with_your_data_and_where(arena, tmp_path, write_spec):
    result = arena("validate", write_spec(SPEC))
    assert result.status == 2
    assert f'tiny.toml:4: dataset[1] "image-folder": image-folder: {tmp_path / "pets"}: there is no such' in result.err
