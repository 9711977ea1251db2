"""The audit of a dataset: what makes figures wrong is found, counted, and said before a run."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from mnistarena.data.audit import audit, look
from mnistarena.data.draws import draw, pooled
from mnistarena.data.splits import SplitRule
from mnistarena.plan import audits
from mnistarena.plan.audit_sentences import sentences
from mnistarena.plugin.components import Dataset
from mnistarena.store.run_folder import RunFolder

RANDOM = np.random.RandomState(0)
MODEL = '[[model]]\nname = "knn"\n'


def noise(n, *shape):
    return RANDOM.randint(0, 256, (n, *shape), dtype=np.uint8)


def dataset(train, test, train_labels=None, test_labels=None, **more):
    """Images of two classes in turn, where no labels are given."""
    labels = [
        np.arange(len(images)) % 2 if of is None else np.asarray(of)
        for images, of in ((train, train_labels), (test, test_labels))
    ]
    train_labels, test_labels = (of.astype(np.int64) for of in labels)
    return Dataset(train, train_labels, test_images=test, test_labels=test_labels, class_names=("a", "b"), **more)


def audited(data, rule=None, *numbers):
    """The record of a dataset, split once or by each of the numbers."""
    whole = pooled(data) if numbers else data
    rules = {number: SplitRule(split=number, folds=len(numbers)) for number in numbers} or {None: rule or SplitRule()}
    draws = {(None, number): draw(whole, one, "") for number, one in rules.items()}
    return audit(data, look(data), "", draws=draws)


def smooth(n, side=28):
    """Images that are as smooth as photographs."""
    coarse = RANDOM.randint(30, 220, (n, 6, 6), dtype=np.uint8)
    images = [Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC) for one in coarse]
    return np.stack([np.asarray(image) for image in images])[:, None]


# What a command says


LEAKY = """
plugins = ["mine.py"]
[benchmark]
name = "leaky"
seeds = [0]
[[dataset]]
name = "image-folder"
params = { path = "leaky" }
[[dataset]]
name = "mine"
[[model]]
name = "knn"
"""

MINE = """
import numpy as np
from mnistarena import Dataset, DatasetDef, Params, hookimpl
from mnistarena.plugin.components import LeftOut


def load(params, context):
    images = np.random.RandomState(1).randint(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    images[52] = images[3]
    labels = np.arange(60) % 2
    labels[52], labels[5] = labels[3], 1 - labels[4]
    images[5] = images[4]
    return Dataset(
        images[:50], labels[:50], test_images=images[50:], test_labels=labels[50:], class_names=("cat", "dog"),
        train_groups=np.arange(50) // 5, test_groups=9 + np.arange(10) // 5,
        train_names=[f"in/{row}.png" for row in range(50)], test_names=[f"out/{row}.png" for row in range(10)],
        left_out=[*(LeftOut(f"in/{n}.tiff", "no suffix of an image") for n in range(35)), LeftOut("b,c.txt", "odd")],
    )


class Nothing(Params):
    pass


@hookimpl
def arena_datasets():
    return [DatasetDef("mine", "images of my own", params=Nothing, load=load)]
"""


def test_a_run_on_leaked_images_says_so_and_keeps_which_they_are(tmp_path, arena, write_spec):
    files = {}
    for split, n in (("train", 40), ("test", 15)):
        for name in ("cat", "dog"):
            folder = tmp_path / "leaky" / split / name
            folder.mkdir(parents=True)
            for i in range(n):
                copy = files.get(("train", name, i)) if split == "test" and i < 12 else None
                files[split, name, i] = noise(1, 9, 9)[0] if copy is None else copy
                Image.fromarray(files[split, name, i]).save(folder / f"{i:02}.png")
    write_spec(LEAKY, "leaky.toml")
    write_spec(MINE, "mine.py")
    said = "image-folder: 24 of 30 test images are each a copy of a training image ("
    mine = [
        "mine: 1 of 10 test images is a copy of a training image (out/2.png and in/3.png); figures on them say",
        'mine: 1 image is there under more than one label (in/4.png as "cat", in/5.png as "dog"): correct the labels',
        "mine: 1 group has images on both sides of the split; ",
        "mine: 36 files or rows were not read, such as in/0.tiff (35 .tiff: no suffix of an image, 1 .txt: odd)",
    ]
    done = arena("run", "leaky.toml", "--out", "run")
    assert done.status == 0, done.err
    for text in (arena("validate", "leaky.toml").out, arena("plan", "leaky.toml", "--no-estimate").out, done.out):
        found = " ".join(text.split())
        assert all(sentence in found for sentence in (said, *mine)), text

    run = RunFolder(tmp_path / "run")
    kept, stored = run.audit("image-folder"), run.dataset("image-folder")
    train = [files["train", name, i] for name in ("cat", "dog") for i in range(40)]
    (split,) = kept["splits"]
    assert [one["test"] for one in split["leaked"]] == [*range(12), *range(15, 27)]
    for one in split["leaked"]:
        (image,) = stored["images"][stored["index"] == one["test"]]
        assert np.array_equal(image[0], train[one["train"]])
    assert split["counts"] == {"train": [40, 40], "validation": [0, 0], "test": [15, 15]}
    assert run.audit("mine")["splits"][0]["leaked"] == [
        {"test": 2, "train": 3, "test_name": "out/2.png", "train_name": "in/3.png"}
    ]
    rows = list(csv.reader(io.StringIO((tmp_path / "run/datasets/mine.left-out.csv").read_text())))
    assert rows[0] == ["name", "reason"]
    assert len(rows) == 37
    assert rows[-1] == ["b,c.txt", "odd"]
    assert not list(tmp_path.glob("run/datasets/image-folder.left-out.csv"))


def spec_of(**files):
    tables = [f'[[dataset]]\nname = "npz"\nlabel = "{name}"\nparams = {{ path = "{name}.npz" }}\n' for name in files]
    return f'[benchmark]\nname = "own"\n{"".join(tables)}{MODEL}'


def test_values_that_cannot_be_meant_are_told_by_validate(tmp_path, arena, write_spec):
    images, some = noise(60, 8, 8), noise(20, 8, 8)
    bits = RANDOM.randint(0, 2, (60, 8, 8)).astype(np.uint8)
    mixed = images.copy()
    mixed[[7, 9]] = bits[:2]
    flat = images.copy()
    flat[11] = 90
    wanted = {
        "zeros": (np.zeros_like(images), np.zeros_like(some), "all training images are 0 in every pixel"),
        "scaled": (bits, bits[40:60] ^ 1, "the training and the test images run from 0 to 1; uint8 images run to 255"),
        "half": (images, bits[:20], "the test images run from 0 to 1, the training images to 255: bring both"),
        "mixed": (mixed, some, "2 images have values of at most a sixteenth of those of most others (training image 7"),
        "flat": (flat, some, "1 image has one value in every pixel (training image 11)"),
        "well": (images, some, None),
    }
    for name, (train, test, _) in wanted.items():
        labels = {"train_labels": np.arange(60) % 2, "test_labels": np.arange(20) % 2}
        np.savez(tmp_path / f"{name}.npz", train_images=train, test_images=test, **labels)
    write_spec(spec_of(**wanted), "own.toml")
    checked = arena("validate", "own.toml")
    assert checked.status == 0, checked.err
    for name, (_, _, sentence) in wanted.items():
        said = [line for line in checked.out.splitlines() if f"warning: {name}:" in line]
        assert any(sentence in line for line in said) if sentence else not said, (name, said)


def test_a_class_that_a_limit_lost_is_named_and_what_one_answer_reaches(tmp_path, arena, write_spec):
    train, test = np.repeat([0, 1, 2], [80, 40, 3]), np.repeat([0, 1, 2], [20, 10, 1])
    arrays = {"train_images": noise(123, 8, 8), "test_images": noise(31, 8, 8)}
    np.savez(tmp_path / "rare.npz", train_labels=train, test_labels=test, **arrays)
    limits = 'validation = 12\ntrain_limit = 15\nparams = { path = "rare.npz" }'
    write_spec(f'[benchmark]\nname = "rare"\n[[dataset]]\nname = "npz"\n{limits}\n{MODEL}', "rare.toml")
    shown = json.loads(arena("data", "rare.toml", "--json").out)
    (split,) = shown[0]["splits"]
    assert [(lost["name"], lost["part"], lost["images"]) for lost in split["lost"]] == [
        ("2", "train", 4),
        ("2", "validation", 4),
    ]
    assert split["largest"] == "0"
    assert split["largest_accuracy"] == pytest.approx(20 / 31)
    said = " ".join(arena("data", "rare.toml").out.split())
    assert '1 class has no training images ("2"): models cannot learn them: set a larger train_limit' in said
    assert 'always saying "0" is right for 64.5 % of the test images' in said


def test_a_dataset_is_shown_by_its_name_without_a_spec(tmp_path, arena):
    np.savez(
        tmp_path / "own.npz",
        train_images=noise(6, 8, 8), train_labels=[0, 1] * 3, test_images=noise(2, 8, 8), test_labels=[0, 1],
    )  # fmt: skip
    shown = arena("data", "npz", "--set", "path=own.npz")
    assert shown.status == 0, shown.err
    assert "npz: images of 1 × 8 × 8: 6 images train, 2 test; 2 classes of 3 training images" in shown.out
    assert "warning" not in shown.out
    assert 'unknown dataset "digit"; did you mean "digits"?' in arena("data", "digit").err


# What is found


def test_equal_images_are_counted_within_and_across_and_under_two_labels():
    train, test = noise(40, 3, 8, 8), noise(12, 3, 8, 8)
    train[[10, 20, 30]], train[39], test[[2, 3]], test[7], test[9] = train[0], train[1], train[0], train[5], test[8]
    found = audited(dataset(train, test))
    assert found["equal"] == {"train": 4, "test": 2, "across": 3}
    assert [(one["test"], one["train"]) for one in found["splits"][0]["leaked"]] == [(2, 0), (3, 0), (7, 5)]
    assert found["two_labels"]["n"] == 2
    groups = [[(one["of"], one["row"], one["label"]) for one in group] for group in found["two_labels"]["first"]]
    assert groups[1] == [("test", 8, "a"), ("test", 9, "b")]


def test_each_fold_is_told_its_own_copies():
    data = dataset(noise(60, 1, 8, 8), noise(20, 1, 8, 8))
    data.train_images[1:30:2] = data.train_images[40]
    data.test_images[[0, 4, 6]] = data.train_images[[0, 40, 2]]
    found = audited(data, None, 0, 1, 2, 3)
    assert found["pooled"]
    whole = np.concatenate([data.train_images, data.test_images]).reshape(80, -1)
    for number, split in enumerate(found["splits"]):
        rows = draw(pooled(data), SplitRule(split=number, folds=4), "").split
        wanted = [row for row in rows.test if (whole[rows.train] == whole[row]).all(axis=1).any()]
        assert [one["test"] for one in split["leaked"]] == wanted
        assert all((whole[one["test"]] == whole[one["train"]]).all() for one in split["leaked"])
        assert {one["train"] for one in split["leaked"]} <= set(rows.train.tolist())
    (said,) = [one for one in sentences("own", found) if "a copy of" in one]
    assert said.startswith("own: in 4 of 4 splits test images are a copy of a training image, ")
    assert "give copies one group" in said


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(image[0]).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file))[None]


def rescaled(image):
    size = image.shape[-1]
    larger = Image.fromarray(image[0]).resize((size * 5 // 4,) * 2, Image.Resampling.BILINEAR)
    return np.asarray(larger.resize((size, size), Image.Resampling.BILINEAR))[None]


@pytest.mark.parametrize(
    "alter", [jpeg, rescaled, lambda image: image // 2 + 20, lambda image: np.clip(image, 0, 225) + 30]
)
def test_an_altered_copy_is_found_and_no_other_image(alter):
    train, test = smooth(400), smooth(100)
    rows = RANDOM.permutation(400)[:20]
    test[10:30] = [alter(train[row]) for row in rows]
    found = audited(dataset(train, test))["splits"][0]["leaked"]
    assert [(one["test"], one["train"]) for one in found] == [(10 + i, row) for i, row in enumerate(rows)]
    assert all(0.95 <= one["correlation"] <= 1 for one in found)


def test_many_images_of_one_scene_are_each_found_to_have_leaked():
    frames = (smooth(1, 16).astype(int) + RANDOM.randint(-2, 3, (3000, 1, 16, 16))).astype(np.uint8)
    found = audited(dataset(frames[:2500], frames[2500:]))
    assert len(found["splits"][0]["leaked"]) == 500
    assert found["near"]["train"] == 2500


def test_images_too_small_to_compare_are_not_called_alike():
    found = audited(dataset(noise(30, 1, 6, 6) // 64, noise(10, 1, 6, 6) // 64))
    assert found["near"] is None


def test_a_copy_counts_only_where_its_original_is_trained_on():
    data = dataset(noise(60, 1, 8, 8), noise(20, 1, 8, 8))
    data.test_images[:20] = data.train_images[:20]
    rule = SplitRule(15, train_limit=20)
    split = draw(data, rule, "").split
    found = audited(data, rule)["splits"][0]
    assert [one["train"] for one in found["leaked"]] == [row for row in range(20) if row in split.train]
    assert found["leaked_validation"] == sum(row in split.validation for row in range(20))


# What is kept


def test_what_was_looked_at_is_kept_and_a_file_that_is_damaged_costs_time_alone(tmp_path, monkeypatch):
    data = dataset(noise(900, 3, 48, 48), noise(100, 3, 48, 48))
    data.test_images[5] = data.train_images[7]
    data.test_images[6] = data.train_images[8] // 2
    looks = []
    monkeypatch.setattr(audits, "data_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(audits, "look", lambda of: looks.append(of) or look(of))

    def same():
        found = audits.looked_at(data, "f" * 64)
        return audit(data, found, "", draws={(None, None): draw(data, SplitRule(), "")}) == audited(data)

    assert same()
    assert same()
    assert len(looks) == 1
    (kept,) = (tmp_path / "cache" / "audits").iterdir()
    with np.load(kept) as arrays:
        odd = {**arrays, "firsts": arrays["firsts"] + 10**6}
    for damage in (kept.read_bytes()[:200], b"", None):
        np.savez(kept, **odd) if damage is None else kept.write_bytes(damage)
        assert same()
    assert len(looks) == 4
    kept.unlink()
    kept.parent.rmdir()
    kept.parent.write_text("no folder")
    assert same()
