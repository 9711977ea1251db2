"""Two models, image by image: counts and images are those of the stored predictions."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistarena.report import view
from mnistarena.report.sections import duel
from mnistarena.store.results import read_run


@pytest.fixture(scope="module")
def found(five: Path):
    return read_run(five), view.build(read_run(five)).comparisons[0].duel


def test_quadrants_count_the_images_that_most_seeds_get_right(found):
    run, duel = found
    right = {}
    for label in duel.models:
        trials = [trial.predictions() for trial in run.of(label, "mnist")]
        right[label] = np.mean([one.predicted == one.labels for one in trials], axis=0) > 0.5
    for a, b in ((0, 1), (3, 1), (2, 4)):
        one, other = right[duel.models[a]], right[duel.models[b]]
        expected = [(one & other).sum(), (one & ~other).sum(), (~one & other).sum(), (~one & ~other).sum()]
        assert duel.quadrants(a, b) == tuple(expected)
        assert list(duel.payload["counts"][f"{a} {b}"]) == [int(n) for n in expected]


def test_the_picture_holds_the_images_that_are_listed(found):
    run, duel = found
    images = run.test_split("mnist")
    whole = np.asarray(Image.open(io.BytesIO(base64.b64decode(duel.picture))))
    width, height = duel.tile
    assert len(duel.payload["images"]) == len(duel.shown) > 20
    for at in (0, 7, len(duel.shown) - 1):
        column, row = at % 30, at // 30
        tile = whole[row * height : (row + 1) * height, column * width : (column + 1) * width]
        stored = images["images"][int(np.flatnonzero(images["index"] == duel.shown[at])[0])]
        np.testing.assert_array_equal(tile, stored[0])
        assert duel.payload["images"][at]["true"] == images["labels"][duel.shown[at]]


def test_pictures_stay_within_their_budget():
    images = [np.random.RandomState(n).randint(0, 256, (3, 64, 64), dtype=np.uint8) for n in range(300)]
    count, picture, kind, tile = duel._sprite(images, 60_000)
    assert 0 < count < 300
    assert len(picture) <= 60_000
    assert (kind, tile) == ("webp", (40, 40))


def test_the_page_carries_it_as_data_that_cannot_end_its_element(five: Path):
    page = (five / "report.html").read_text()
    payload = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page, re.S).group(1))
    assert payload["total"] == 2000
    assert len(payload["models"]) == 5
