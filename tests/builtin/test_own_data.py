"""Your own images: read whole, or refused with a sentence that names and counts what is wrong."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from mnistarena import DataContext, DataError
from mnistarena.builtin.datasets import image_folder
from mnistarena.data.dataset import check_dataset

DEFINITIONS = {d.name: d for d in image_folder.arena_datasets()}
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
