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
from mnistarena.report.sections.confusion import Contrast
from mnistarena.store.results import read_run

CONTRASTS = """cells => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    paint.fillStyle = getComputedStyle(document.body).backgroundColor; paint.fillRect(0, 0, 1, 1);
    paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    const parts = [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3).map((one) => one / 255);
    const [red, green, blue] = parts.map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  return cells.map((one) => {
    const [a, b] = [getComputedStyle(one).color, getComputedStyle(one).backgroundColor].map(light);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
}"""
"""The contrast of each cell's text with its background, by WCAG 2."""


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


def test_confusions_of_two_models_are_those_of_their_predictions(found):
    run, _ = found
    first, second = (
        np.mean([np.histogram2d(t.labels, t.predicted, bins=range(11))[0] for t in trials], axis=0)
        for trials in ([t.predictions() for t in run.of(label, "mnist")] for label in ("vit-8", "vgg16"))
    )
    expected = first - second
    np.fill_diagonal(expected, 0)
    known = {matrix.label: matrix for matrix in view.build(run).comparisons[0].matrices}
    contrast = Contrast(known["vit-8"], known["vgg16"])
    np.testing.assert_allclose(contrast.cells, expected, atol=1e-12)
    assert contrast.said(expected.max()) == f"+{expected.max():.1f}"


@pytest.mark.browser
def test_the_page_draws_the_confusions_of_any_two(browser, five: Path, found):
    run, duel = found
    known = {matrix.label: matrix for matrix in view.build(run).comparisons[0].matrices}

    def drawn(page):
        rows = page.locator(".contrast tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.querySelectorAll('td')].map(one => [one.textContent, one.className,"
            " one.style.getPropertyValue('--dark')].join(' ')))"
        )
        return [[" ".join(cell.split()) if cell[0] in "+−" else "" for cell in row] for row in rows]

    def expected(*labels):
        gap = Contrast(*(known[label] for label in labels))
        return [
            [f"{gap.said(v)} {'more' if v > 0 else 'less'} {gap.ink(v)}%" if v else "" for v in row]
            for row in gap.cells
        ]

    without = browser.new_page(java_script_enabled=False)
    without.goto((five / "report.html").as_uri())
    assert drawn(without) == expected(*duel.models[:2])
    without.close()
    page = browser.new_page()
    page.goto((five / "report.html").as_uri())
    assert drawn(page) == expected(*duel.models[:2])
    place = page.locator(".contrast")
    place.get_by_label("First model").select_option(label="vit-8")
    place.get_by_label("Second model").select_option(label="alexnet")
    assert drawn(page) == expected("vit-8", "alexnet")
    assert page.locator(".duel [data-sentence]").inner_text().startswith("vit-8 is worse than alexnet")
    place.locator("td.more button").first.click()
    assert " taken for " in place.locator(".tiles [data-title]").inner_text()
    least = place.locator("td.more, td.less").evaluate_all(CONTRASTS)
    assert min(least) >= 4.5
    page.emulate_media(color_scheme="dark")
    assert min(place.locator("td.more, td.less").evaluate_all(CONTRASTS)) >= 4.5
    page.close()
