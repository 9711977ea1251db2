"""A model trained on your own image files is shown pictures as it was shown these: depth, fit, borders, folders."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

SPEC = """
[benchmark]
name = "pages"
[[dataset]]
name = "image-folder"
params = { path = "pages", size = 8, fit = "pad", depth = 4095 }
[[model]]
name = "logistic-regression"
"""


def page(path, label, *, at, width=8, deep=True):
    """A white page with a dark blot at its left or its right, as a scanner of 12 bits writes it into 16."""
    pixels = np.full((8, width), 4095, np.uint16)
    column = 1 if label == "left" else width - 3
    pixels[1 + at % 4 : 4 + at % 4, column : column + 2] = 300
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels if deep else (pixels.astype(int) * 255 // 4095).astype(np.uint8)).save(path)


@pytest.fixture
def pages(arena, tmp_path, write_spec):
    """A run on white pages."""
    for split, n in (("train", 8), ("test", 4)):
        for label in ("left", "right"):
            for at in range(n):
                page(tmp_path / "pages" / split / label / f"{at}.png", label, at=at)
    done = arena("run", write_spec(SPEC), "--out", tmp_path / "run")
    assert done.status == 0, done.out + done.err
    return tmp_path / "run"


def test_pictures_are_read_as_the_images_that_the_model_learned_from(arena, pages, tmp_path):
    mine = tmp_path / "mine"
    page(mine / "a.png", "left", at=1)
    page(mine / "b" / "a.png", "left", at=1, deep=False)
    page(mine / "b" / "right.tiff", "right", at=2)
    page(mine / "b" / "wide.png", "right", at=2, width=16)
    (mine / "notes.txt").write_text("not an image")
    result = arena("predict", pages, "logistic-regression", mine, "--json")
    shown = json.loads(result.out)
    assert [one["file"] for one in shown["images"]] == [
        str(mine / n) for n in ("a.png", "b/a.png", "b/right.tiff", "b/wide.png")
    ]
    deep, eight, right, wide = shown["images"]
    assert (deep["class"], eight["class"], right["class"]) == ("left", "left", "right")
    assert deep["probability"] == eight["probability"]
    assert deep["notes"] == ["16 bits scaled to 8"]
    assert wide["notes"] == ["16 bits scaled to 8", "resized from 8 × 16 to 8 × 8, padded"]
    assert not any(one["negative"] for one in shown["images"])
    assert shown["left_out"] == [{"file": str(mine / "notes.txt"), "reason": "no suffix of an image"}]
    assert result.err == "note: 1 file is left out: no suffix of an image (1)\n"
    (tmp_path / "empty").mkdir()
    result = arena("predict", pages, "logistic-regression", tmp_path / "empty")
    assert (result.status, result.err) == (1, f"error: {tmp_path / 'empty'}: the folder holds no image\n")


def test_advice_is_given_where_a_picture_looks_like_the_negative_of_the_training_images(arena, pages, tmp_path):
    page(tmp_path / "white.png", "left", at=0)
    black = 255 - np.asarray(Image.open(tmp_path / "pages" / "test" / "left" / "0.png")).astype(int) * 255 // 4095
    Image.fromarray(black.astype(np.uint8)).save(tmp_path / "black.png")
    both = (tmp_path / "white.png", tmp_path / "black.png")
    plain = arena("predict", pages, "logistic-regression", *both)
    dark = "warning: dark at the border, where the training images are light (brightness 1.00): "
    assert plain.err == f"{dark}{both[1]}; try --invert\n"
    turned = arena("predict", pages, "logistic-regression", *both, "--invert", "--json")
    assert turned.err == f"{dark}{both[0]}; leave out --invert\n"
    assert [(one["class"], one["negative"]) for one in json.loads(turned.out)["images"]][1] == ("left", False)
    plan = json.loads((pages / "plan.json").read_text())
    assert plan["datasets"][0]["border"] == [1, 1, 1]
    del plan["datasets"][0]["border"]
    (pages / "plan.json").write_text(json.dumps(plan))
    assert arena("predict", pages, "logistic-regression", *both).err == ""
