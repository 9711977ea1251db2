"""`image-folder`: your image files read whole, or refused with a sentence that names and counts what is wrong."""

from __future__ import annotations

import shutil
import unicodedata
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mnistarena.builtin.datasets import image_folder

from .reading import Reader

READ = Reader(*image_folder.arena_datasets())
RANDOM = np.random.RandomState(0)


def load(root, **params):
    return READ("image-folder", root.parent, path=root.name, **params)


def refused(root, **params):
    said = READ.refused("image-folder", root.parent, path=root.name, **params)
    assert said.startswith(f"image-folder: {root}: ")
    return said


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


def test_a_folder_of_images_is_a_dataset_with_sorted_classes(folder):
    picture(folder / "train" / "cat" / "2.gif")  # a palette, and all of it grey
    (folder / "train" / "cat" / "2.png").unlink()
    loaded = load(folder)
    assert loaded.class_names == ("cat", "dog")
    assert loaded.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert loaded.train_images.shape == (6, 1, 6, 5)
    assert np.array_equal(loaded.test_images[3, 0], np.asarray(Image.open(folder / "test" / "dog" / "1.png")))
    assert list(loaded.train_names[:4]) == [
        f"train/{name}" for name in ("cat/0.png", "cat/1.png", "cat/2.gif", "dog/0.png")
    ]
    assert loaded.test_names[3] == "test/dog/1.png"
    assert loaded.left_out == ()


def test_every_file_is_an_image_or_left_out_with_a_reason(folder):
    picture(folder / "train" / "cat" / "session 2" / "deep" / "x.JPG")
    picture(folder / "train" / "dog" / "y.jp2", irreversible=False)
    picture(folder / "val" / "dog" / "0.png")
    picture(folder / "train" / "beside.png")
    picture(folder / "beside.png")
    picture(folder / "train" / "cat" / ".hidden.png")
    picture(folder / "train" / ".cache" / "z.png")
    (folder / "train" / "cat" / "notes.txt").write_text("not an image")
    (folder / "train" / "cat" / "raw.npy").write_bytes(b"")
    frames = [Image.fromarray(np.full((6, 5), shade, np.uint8)) for shade in (0, 90, 200)]
    frames[0].save(folder / "test" / "dog" / "pages.tif", save_all=True, append_images=frames[1:])
    loaded = load(folder)
    files = sum(path.is_file() for path in folder.rglob("*"))
    assert (len(loaded.train_labels), len(loaded.test_labels)) == (8, 5)
    assert "train/cat/session 2/deep/x.JPG" in loaded.train_names
    assert loaded.train_labels[list(loaded.train_names).index("train/cat/session 2/deep/x.JPG")] == 0
    reasons = Counter(one.reason for one in loaded.left_out)
    assert reasons == {
        "in no split": 1,
        "beside the folders of the classes": 1,
        "beside the folders of the splits": 1,
        "a hidden file": 2,
        "no suffix of an image": 2,
        "its images after the first, 2": 1,
    }
    assert 8 + 5 + len(loaded.left_out) == files + 1  # the pages of a file that was read
    assert ("val/dog/0.png", "in no split") in {(one.name, one.reason) for one in loaded.left_out}


def test_splits_have_the_names_that_you_say_and_groups_are_found_in_the_names(folder):
    (folder / "train").rename(folder / "training")
    (folder / "test").rename(folder / "val")
    for i in range(2):
        picture(folder / "held" / "cat" / f"p{i}.png")
    loaded = load(folder, train="training", test="val", validation="held", groups=r"/p?(\d)\.")
    assert loaded.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert loaded.validation_rows.tolist() == [6, 7]
    assert loaded.train_groups.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert loaded.test_groups.tolist() == [0, 1, 0, 1]
    named = load(folder, train="training", test="val", groups=r"(x)?/(?P<group>[a-z]+)/")
    assert named.test_groups.tolist() == [0, 0, 1, 1]
    assert len(named.left_out) == 2
    said = refused(folder, train="training", test="val", groups=r"/(\d)\.png$", validation="held")
    assert "finds nothing in 2 of 12: held/cat/p0.png, held/cat/p1.png" in said
    for pattern, sentence in (("cat", "needs a part in parentheses"), ("(", "is no regular expression")):
        with pytest.raises(ValueError, match=sentence):
            image_folder.ImageFolderParams(path="x", groups=pattern)


@pytest.mark.parametrize("below", [".", "train"])
def test_one_folder_of_classes_is_one_split(folder, below):
    shutil.rmtree(folder / "test")
    picture(folder / "beside.png")
    loaded = load(folder if below == "." else folder / below)
    again = load(folder if below == "." else folder / below, train="train", test="test")  # as a plan names them
    assert np.array_equal(again.train_images, loaded.train_images)
    assert loaded.class_names == ("cat", "dog")
    assert loaded.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert loaded.test_images.shape == (0, 1, 6, 5)
    assert len(loaded.test_labels) == len(loaded.test_names) == 0
    assert len(loaded.left_out) == (1 if below == "." else 0)


def test_a_class_may_be_called_train(folder):
    (folder / "test").rename(folder / "car")
    assert load(folder, train=".").class_names == ("car", "train")
    assert 'train = "." where all are classes' in refused(folder)
    assert "leave test and validation out" in refused(folder, train=".", validation="car")


def test_a_name_is_the_same_class_however_its_accents_are_written(folder):
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    (folder / "train" / "cat").rename(folder / "train" / composed)
    (folder / "test" / "cat").rename(folder / "test" / apart)
    assert load(folder).class_names == (composed, "dog")
    picture(folder / "test" / composed / "0.png")
    assert f"test/ has two folders of one name, written in two ways of Unicode: {composed}; make one" in refused(folder)


def test_unreadable_images_are_left_out_where_asked(folder):
    broken(folder)
    (folder / "train" / "cat" / "link.png").symlink_to(folder / "gone.png")
    loaded = load(folder, unreadable="skip")
    assert loaded.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert list(loaded.train_names)[2:4] == ["train/cat/2.png", "train/dog/0.png"]
    reasons = {one.name: one.reason for one in loaded.left_out}
    assert reasons["train/cat/bad3.png"] == "cannot be read: not an image that Pillow reads"
    assert reasons["train/cat/link.png"] == "cannot be read: there is no such file"
    for path in (folder / "test" / "dog").iterdir():
        path.write_bytes(b"")
    assert "no image of 1 folder of a class can be read: test/dog" in refused(folder, unreadable="skip")


def test_colours_sizes_and_orientation_are_made_one_where_asked(folder):
    picture(folder / "train" / "dog" / "large.jpg", np.full((20, 12, 3), (255, 0, 0), np.uint8))
    said = refused(folder, channels=3)
    assert "its images have 2 sizes, height × width (images): 6 × 5 (10), 20 × 12 (1); set size" in said
    said = refused(folder, size=8)
    assert "10 images grey and 1 coloured; set channels to 1 or 3" in said
    loaded = load(folder, size=[8, 4], channels=3)
    assert loaded.train_images.shape == (7, 3, 8, 4)
    red = loaded.train_images[6]
    assert red[0].min() > 250
    assert red[1:].max() < 5
    picture(
        folder / "test" / "dog" / "wide.png", np.array([[0] * 16] * 3 + [[200] * 16] * 2 + [[0] * 16] * 3, np.uint8)
    )
    padded = load(folder, size=8, channels=1, fit="pad").test_images[-1, 0]
    assert padded[[0, 1, 6, 7]].max() == 0
    assert padded[3:5].max() > 90


def test_transparency_is_laid_over_white_and_a_camera_held_on_its_side_is_turned(folder):
    clear = np.zeros((6, 5, 4), np.uint8)
    clear[0, 0] = (0, 0, 0, 255)
    picture(folder / "train" / "cat" / "0.png", clear)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.zeros((5, 6), np.uint8)
    turned[:, 0] = 255
    picture(folder / "train" / "cat" / "1.png", turned, exif=exif)
    loaded = load(folder, channels=1)
    assert loaded.train_images[0, 0, 0, 0] == 0
    assert (loaded.train_images[0, 0].ravel()[1:] == 255).all()
    assert loaded.train_images[1, 0].tolist() == [[255] * 5] + [[0] * 5] * 5


def remove(*paths):
    return lambda root: [shutil.rmtree(root / path) for path in paths]


def rename(**names):
    return lambda root: [(root / old).rename(root / new) for old, new in names.items()]


def broken(root):
    for i in range(4):
        (root / "train" / "cat" / f"bad{i}.png").write_bytes(b"GIF, or so it says")


def packed(root):
    path = shutil.make_archive(root, "zip", root)
    shutil.rmtree(root)
    shutil.move(path, root)


def truncated(root):
    path = root / "test" / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:-30])


def deep(root):
    picture(root / "test" / "dog" / "x.png", np.full((6, 5), 40_000, np.uint16))


def emptied(root):
    for path in (root / "test" / "dog").iterdir():
        path.rename(path.with_suffix(".raw"))


def flat(at):
    def change(root):
        for i, path in enumerate(sorted(root.rglob("*.png"))):
            path.rename(root / f"{i}.png")
        remove("train", "test")(root)
        if at:
            (root / at).mkdir()
            for path in root.glob("*.png"):
                path.rename(root / at / path.name)

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (remove("."), "there is no such folder"),
        (packed, "it is a zip archive, not a folder; unpack it"),
        (remove("train"), "it has no folder train/; its folders: test/"),
        (rename(test="val"), 'it has no folder test/, but val/: write test = "val" or validation = "val" for one'),
        (rename(train="Training", test="Testing"), "its folders are named as splits, not as classes: Testing/, Trai"),
        (remove("train/cat", "train/dog"), "train/ holds no folder of a class"),
        (remove("train/cat"), "1 of 2 classes are in test/ but not in train/: cat"),
        (remove("test/dog"), "1 of 2 classes are in train/ but not in test/: dog"),
        (remove("train/cat", "test/cat"), "there is one class only (dog)"),
        (emptied, "no image in 1 folder of a class: test/dog; 2 files left out (no suffix of an image)"),
        (flat(""), "10 images in no folder of a class: where a table says the class of each, such as labels.c"),
        (flat("train"), "train/ holds no folder of a class: 10 images in no folder of a class: where a table"),
        (broken, "4 of 14 images cannot be read: train/cat/bad0.png (not an image that Pillow reads), train/cat/bad1"),
        (broken, 'train/cat/bad2.png (not an image that Pillow reads) and 1 more; set unreadable = "skip" to leave'),
        (truncated, "1 of 10 images cannot be read: test/dog/1.png ("),
        (deep, '1 of 11 images have 16 bits a channel: test/dog/x.png; write depth = "scale"'),
    ],
)
def test_a_folder_that_is_no_dataset_is_refused(folder, change, sentence):
    change(folder)
    assert sentence in refused(folder)


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
