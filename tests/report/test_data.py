"""What the report says of the data: leaked images, what was not read, suspect labels, a class that is always said."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from mnistarena.report import view
from mnistarena.store.results import read_run

SPEC = """
[benchmark]
name = "Leaky"
seeds = [0, 1, 2]
[[dataset]]
name = "image-folder"
label = "noise"
params = { path = "noise" }
[[dataset]]
name = "image-folder"
label = "folded"
params = { path = "noise" }
folds = 2
[[model]]
name = "knn"
params = { n_neighbors = 1 }
[[model]]
name = "random-forest"
params = { n_estimators = 2, max_depth = 1 }
"""


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """Noise with labels that mean nothing; of the 40 test images 24 are training images, and one file is a text."""
    folder = tmp_path_factory.mktemp("leaky")
    random = np.random.RandomState(0)
    for row in range(120):
        path = folder / "noise" / ("train" if row < 104 else "test") / ("a" if row % 4 else "b") / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.randint(0, 256, (9, 9), dtype=np.uint8)).save(path)
    for row in range(24):
        name = f"{'a' if row % 4 else 'b'}/{row}.png"
        (folder / "noise/test" / name).write_bytes((folder / "noise/train" / name).read_bytes())
    (folder / "noise/test/a/read.me").write_text("no image")
    (folder / "spec.toml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def shown(leaky):
    from ..conftest import within

    assert within(leaky, "run", "spec.toml", "--out", "run").status == 0
    return read_run(leaky / "run"), view.build(read_run(leaky / "run"))


def test_accuracy_without_leaked_images_is_that_of_the_others(shown):
    run, report = shown
    data = report.comparisons[0].data
    assert (data.leaked, len(data.tiles)) == (24, 24)
    assert data.tiles[0].test.startswith("test/")
    for row in data.without:
        found = [trial.predictions() for trial in run.of(row.label, "noise")]
        names = run.test_split("noise")["names"]
        new = np.array([int(name.split("/")[-1].removesuffix(".png")) >= 104 for name in names])
        right = np.array([one.predicted == one.labels for one in found])
        assert new.sum() == 16
        assert (row.accuracy, row.without) == pytest.approx((right.mean(), right[:, new].mean()))
    knn = next(row for row in data.without if row.label == "knn")
    assert knn.accuracy - knn.without > 0.15


def test_the_headline_and_the_caveats_say_it(shown):
    _, report = shown
    assert report.comparisons[0].headline.endswith(" But 60.00\u202f% of the test images were trained on.")
    told = "\n".join(report.caveats)
    assert "noise: 24 of 40 test images are each a copy of a training image (test/a/1.png" in told
    assert "noise: without the 24 test images that training has seen, accuracies are: knn " in told
    assert "noise: 1 file or row was not read, such as test/a/read.me" in told


def test_a_verdict_that_leaked_images_make_is_said_to_change(shown):
    _, report = shown
    comparison = report.comparisons[0]
    assert comparison.pair("knn", "random-forest").verdict != "not compared"
    for change in comparison.data.changed:
        assert comparison.pair(change.a, change.b).verdict == change.verdict != change.without


def test_copies_on_both_sides_of_folds_are_leaked_images_too(shown):
    run, report = shown
    folded = report.comparisons[1].data
    names = run.test_split("folded")["names"]
    side = {}
    for trial in run.of("knn", "folded"):
        for row in trial.predictions().index:
            side[int(row)] = trial.split
    number = {int(row): name.split("/")[-1] for row, name in zip(run.test_split("folded")["index"], names, strict=True)}
    twins = [[row for row, name in number.items() if name == f"{twin}.png"] for twin in range(24)]
    apart = sum(side[first] != side[second] for first, second in twins)
    assert folded.leaked == 2 * apart > 0


def test_always_saying_one_class_is_a_line_and_what_no_model_beats(shown, arena, leaky):
    _, report = shown
    data = report.comparisons[0].data
    labels = np.concatenate([np.repeat("a", 30), np.repeat("b", 10)])
    assert (data.largest, data.constant) == ("a", float((labels == "a").mean()))
    assert any('shown to be more accurate than always saying "a"' in text for text in report.caveats)
    assert arena("report", leaky / "run", "--html", "--markdown").status == 0
    page, text = ((leaky / "run" / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert re.search(r"always “a”</th>.*?>75\.00 %</td>", page)
    for written in (page, text):
        assert "read.me" in written
        assert "Without the 24 leaked" in written


def test_a_label_that_most_models_are_sure_is_another_is_suspect(arena, tmp_path):
    random = np.random.RandomState(1)
    images = random.randint(0, 60, (60, 8, 8), dtype=np.uint8)
    labels = np.arange(60) % 2
    images[labels == 1, 2:4] += np.uint8(120)
    labels[47] = 0
    parts = {"train": slice(0, 40), "test": slice(40, 60)}
    arrays = {
        f"{name}_{what}": of[part]
        for name, part in parts.items()
        for what, of in (("images", images), ("labels", labels))
    }
    np.savez(tmp_path / "own.npz", **arrays)
    (tmp_path / "spec.toml").write_text(
        '[benchmark]\nname = "Suspect"\n[[dataset]]\nname = "npz"\nparams = { path = "own.npz" }\n'
        '[[model]]\nname = "knn"\n[[model]]\nname = "logistic-regression"\n'
    )
    assert arena("run", "spec.toml", "--out", "run").status == 0
    comparison = view.build(read_run(tmp_path / "run")).comparisons[0]
    assert [tile.index for tile in comparison.tiles if tile.suspect] == [7]
    assert (
        "1 of those shown has a suspect label: most models are sure (90 %) of one other class"
        in comparison.answers["gallery"]
    )
