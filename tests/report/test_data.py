"""What the report says of the data: leaked images, what was not read, suspect labels, a class that is always said."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from mnistarena.evidence.leaked import without_leaked
from mnistarena.evidence.pairs import compare
from mnistarena.evidence.recipe import gather
from mnistarena.report import view
from mnistarena.store.results import read_run

from .folded import as_folds
from .synthetic import MODELS, build_run

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


@pytest.mark.parametrize("seeds", ["[0, 1]", '{ until = "decided", most = 3 }'])
def test_where_all_test_images_leaked_nothing_is_left_and_that_is_said(arena, leaky, tmp_path, seeds):
    for split in ("train", "test"):
        for path in (leaky / "noise" / split).glob("*/*.png"):
            if split == "train" or (leaky / "noise/train" / path.parent.name / path.name).exists():
                target = tmp_path / "noise" / split / path.parent.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
    folded = SPEC[SPEC.index('[[dataset]]\nname = "image-folder"\nlabel = "folded"') : SPEC.index("[[model]]")]
    (tmp_path / "spec.toml").write_text(SPEC.replace(folded, "").replace("[0, 1, 2]", seeds))
    done = arena("run", "spec.toml", "--out", "run")
    assert done.status == 0, done.err
    report = view.build(read_run(tmp_path / "run"))
    data = report.comparisons[0].data
    assert (data.leaked, data.share) == (24, 1.0)
    assert [row.without for row in data.without] == [None, None]
    assert report.comparisons[0].headline.endswith(" But 100.00\u202f% of the test images were trained on.")
    told = "\n".join(report.caveats)
    assert "noise: all test images are training images, so that no figure says anything of new images." in told
    assert "verdict" not in told
    assert arena("report", "run").status == 0


def test_over_folds_the_figures_are_those_of_the_images_that_are_left(tmp_path):
    models = {"cnn": MODELS["cnn"], "vgg16": MODELS["vgg16"]}
    run = read_run(as_folds(build_run(tmp_path / "run", models=models, seeds=3, n=100)))
    recipes = gather(run, run.plan["datasets"][0])

    def without(rows: range) -> list:
        leaked = [{"test": row, "train": 0} for row in rows]
        splits = [{"split": fold, "counts": {"test": [100]}, "leaked": leaked} for fold in range(3)]
        kept, gone = without_leaked(recipes, {"splits": splits})
        assert gone == len(rows)
        return kept

    some = without(range(90, 130))
    for whole, part in zip(recipes, some, strict=True):
        left = ~np.isin(whole.index, range(90, 130))
        assert part.accuracy == pytest.approx(whole.correct[:, left].mean())
        assert part.decided.layout.splits == 3
    assert compare(some, 0.001)[0].difference is not None
    assert compare(without(range(100)), 0.001)[0].verdict == "not compared", "a fold has no image left"
