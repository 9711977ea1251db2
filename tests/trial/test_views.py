"""`[[evaluation]]`: further views of the test images, predicted once by each trained model."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import mnistarena
from mnistarena import SpecError
from mnistarena.evidence.recipe import gather
from mnistarena.report.view import build
from mnistarena.report.write import write_report
from mnistarena.stats.crossed import Crossed

SPEC = {
    "benchmark": {"name": "views", "baseline": "cnn"},
    "dataset": [{"name": "mnist", "train_limit": 300, "test_limit": 200, "transforms": ["normalize"]}],
    "training": {"steps": 30},
    "model": [{"name": "cnn"}, {"name": "logistic-regression"}],
    "evaluation": [
        {"name": "as it is", "transforms": [{"name": "scale", "factor": 1.0}]},
        {"name": "hidden", "transforms": ["occlusion"], "severities": {"side": [0.2, 1.0]}},
    ],
}
SMALL = {
    **SPEC,
    "dataset": [{"name": "digits", "train_limit": 100, "test_limit": 200, "transforms": ["normalize"]}],
    "training": {"steps": 5},
}
ALONE = mnistarena.Options(jobs=1, threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("views") / "run"
    mnistarena.run(SPEC, out=out, options=ALONE)
    return out


def test_each_trained_model_predicts_each_view(folder):
    for trial in mnistarena.load_run(folder).trials:
        assert [(view["name"], view["severity"]) for view in trial.views] == [
            ("as it is", None),
            ("hidden", 0.2),
            ("hidden", 1.0),
        ]
        predicted = trial.views_predicted()
        assert predicted.shape == (3, 200)
        assert np.array_equal(predicted[0], trial.predictions().predicted), "an unaltered view is the test split"
        assert len(np.unique(predicted[2])) == 1, "of a wholly black image everybody says the same, image by image"


def test_the_page_shows_one_test_image_in_each_view(folder):
    """At each severity its own part of the picture, below the tick that it belongs to."""
    write_report(folder, markdown=False)
    page = (folder / "report.html").read_text()
    run = mnistarena.load_run(folder)
    stored = [trial.folder.views(trial.files)[1] for trial in run.trials]
    assert stored[0].shape == (4, 1, 28, 28)
    assert np.array_equal(stored[0], stored[1]), "every model saw the same views"
    assert np.array_equal(stored[0][0], run.test_split("mnist")["images"][0])
    assert np.array_equal(stored[0][1], stored[0][0]), "an unaltered view"
    assert not stored[0][3].any(), "all of it is hidden"
    section = page[page.index('<section id="robustness"') :]
    kind, picture = re.findall(r"--views: url\(data:image/(\w+);base64,([^)]+)\)", section)[0]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("L"), int)
    assert shown.shape == (28, 4 * 28)
    assert abs(shown - np.concatenate(stored[0][:, 0], axis=1)).mean() < (6 if kind == "webp" else 1e-9)
    drawn = re.findall(
        r'<svg aria-hidden="true".*?viewBox="0 0 ([\d.]+) (.*?)</svg><div class="views"[^>]*>(.*?)</div>', section
    )
    assert len(drawn) == 3, "each width of the drawing has its own"
    for whole, svg, strip in drawn:
        start = float(re.findall(r'<g[^>]* transform="translate\(([\d.]+),', svg)[0])
        ticks = [start + float(x) for x in re.findall(r'translate\(([\d.]+),0\)" x2="0" y2="5"', svg)]
        found = re.findall(r'title="([^"]+)" style="left:([\d.]+)%;.*?background-position:-(\d+)px', strip)
        assert [(title, int(at) // 28) for title, _, at in found] == [
            ("clean", 0),
            ("hidden, 0.2", 2),
            ("hidden, 1", 3),
        ]
        assert [float(whole) * float(left) / 100 for _, left, _ in found] == pytest.approx(ticks, abs=1)
    assert 'title="as it is"' in section, "a view without severities has its image in the table"


def test_trials_of_an_earlier_version_stored_no_pictures(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    for trial in mnistarena.load_run(tmp_path / "run").trials:
        np.savez_compressed(trial.folder.path / "views.npz", predicted=trial.views_predicted())
        record = trial.folder.read()
        trial.folder.write({key: value for key, value in record.items() if key not in ("files", "stamps")})
    found = build(mnistarena.load_run(tmp_path / "run")).comparisons[0].robustness
    assert found.pictures is None
    assert found.recipes
    write_report(tmp_path / "run", markdown=False)
    assert 'class="view"' not in (tmp_path / "run" / "report.html").read_text()


def test_a_view_is_no_part_of_what_was_trained(folder):
    plain = {key: value for key, value in SPEC.items() if key != "evaluation"}
    before = [trial.id for trial in mnistarena.load_run(folder).trials]
    planned = mnistarena.run(plain, out=folder.parent / "plain", only=("logistic-regression",), options=ALONE)
    assert planned.trials[0].id in before


def test_views_may_be_added_later_and_the_models_are_not_trained_again(tmp_path):
    one, two = SMALL["evaluation"]
    first = mnistarena.run({**SMALL, "evaluation": [one]}, out=tmp_path / "run", options=ALONE)
    before = {trial.label: (trial.folder.path / "history.jsonl").stat().st_mtime_ns for trial in first.trials}
    later = mnistarena.run(SMALL, out=tmp_path / "run", options=ALONE)
    at_once = mnistarena.load_run(tmp_path / "run")
    for trial in at_once.trials:
        assert (trial.folder.path / "history.jsonl").stat().st_mtime_ns == before[trial.label]
        assert trial.views_predicted().shape == (3, 200)
        assert trial.metrics["accuracy"] == pytest.approx(
            (trial.views_predicted()[0] == trial.predictions().labels).mean()
        )
    assert [view["name"] for view in later.trials[0].views] == [one["name"], two["name"], two["name"]]


def test_views_added_where_models_were_not_kept_train_them_again(tmp_path):
    plain = {key: value for key, value in SMALL.items() if key != "evaluation"}
    plain["benchmark"] = {"name": "views", "keep_models": False}
    plain["model"] = [{"name": "cnn"}]
    mnistarena.run(plain, out=tmp_path / "run", options=ALONE)
    run = mnistarena.run({**plain, "evaluation": SPEC["evaluation"]}, out=tmp_path / "run", options=ALONE)
    assert run.trials[0].views_predicted().shape == (3, 200)


def test_altered_predictions_of_views_are_found(folder):
    trial = mnistarena.load_run(folder).trials[0]
    record = json.loads((trial.folder.path / "trial.json").read_text())
    assert "views.npz" in record["files"]
    assert trial.folder.damage({**record, "stamps": {}, "files": {**record["files"], "views.npz": "0" * 64}})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "v", "transforms": ["blurr"]}, 'did you mean "blur"'),
        ({"name": "v", "transforms": ["blur"], "severities": {"sigm": [1.0]}}, 'did you mean "sigma"'),
        ({"name": "v", "transforms": ["blur", "blur"], "severities": {"sigma": [1.0]}}, "several of its transforms"),
        ({"name": "v", "transforms": ["blur"], "severities": {"sigma": [1.0, -1.0]}}, "greater than 0"),
        ({"name": "v", "transforms": ["blur"], "severities": {"sigma": []}}, "at least 1"),
        ({"name": "v", "transforms": [{"name": "resize", "size": 9}]}, "keeps the shape of the test images"),
        ({"name": "as it is", "transforms": ["blur"]}, 'two evaluations are called "as it is"'),
        ({"name": "v", "transforms": []}, "at least 1"),
    ],
)
def test_a_wrong_view_is_refused_before_anything_runs(table, message, tmp_path):
    with pytest.raises(SpecError, match=message):
        mnistarena.run({**SPEC, "evaluation": [*SPEC["evaluation"], table]}, out=tmp_path / "run")


def test_the_report_says_what_is_left_of_each_model(folder):
    write_report(folder, html=False)
    page = (folder / "report.md").read_text()
    assert "<summary>How accurate on altered images?</summary>" in page
    assert "| Model | Clean, % | Mean over corruptions, % | Share kept |" in page
    assert "robustness-02-hidden.svg" in page, "severities are drawn"
    assert "robustness-01" not in page, "a view without them is a column of the table only"
    found = build(mnistarena.load_run(folder)).comparisons[0].robustness
    for one in found.recipes:
        trial = next(t for t in mnistarena.load_run(folder).trials if t.label == one.label)
        right = (trial.views_predicted() == trial.predictions().labels).mean(axis=1)
        assert one.by == pytest.approx([right[0], right[1:].mean()]), (
            "a corruption counts by the mean of its severities"
        )
        assert one.mean == pytest.approx(np.mean(one.by))
        assert one.kept == pytest.approx(one.mean / trial.metrics["accuracy"])


def test_the_accuracies_of_views_are_a_table(folder):
    frame = mnistarena.load_run(folder).frame("views")
    assert list(frame.columns) == ["label", "dataset", "seed", "view", "parameter", "severity", "accuracy"]
    assert len(frame) == 6


def test_a_run_without_views_has_no_such_section(tiny_run):
    assert not build(mnistarena.load_run(tiny_run)).has_views


def test_shares_of_views_are_judged_as_single_images_are():
    """A recipe that is right on every view of an image, or on none, is judged as one that is right or wrong."""
    random = np.random.default_rng(0)
    a, b = (random.random((3, 500)) < p for p in (0.9, 0.8))
    whole, shares = Crossed([a, b]), Crossed([a.astype(float), b.astype(float)])
    first, second = whole.difference(0, 1), shares.difference(0, 1)
    assert (first.low, first.high, first.estimate) == pytest.approx((second.low, second.high, second.estimate))
    half = Crossed([a / 2, b / 2], span=0.5).difference(0, 1)
    assert half.estimate == pytest.approx(whole.difference(0, 1).estimate / 2)
    assert half.standard_error == pytest.approx(whole.difference(0, 1).standard_error / 2)


def test_a_seed_that_predicted_other_images_shifts_no_other(folder):
    run = mnistarena.load_run(folder)
    trial = next(trial for trial in run.trials if trial.label == "cnn")

    class Another(mnistarena.TrialResult):
        def predictions(self):
            return replace(trial.predictions(), index=trial.predictions().index + (self.seed == 1))

    fields = {field.name: getattr(trial, field.name) for field in dataclasses.fields(trial)}
    files = [{**trial.files, "predictions.npz": str(seed) * 64} for seed in range(3)]
    trials = (trial, *(Another(**{**fields, "seed": seed, "files": files[seed]}) for seed in (1, 2)))
    dataset = run.plan["datasets"][0]
    recipe = next(one for one in gather(replace(run, trials=trials), dataset) if one.label == "cnn")
    assert [one.seed for one in recipe.counted] == [0, 2]
    assert len(recipe.correct) == 2
    assert "cnn, seed 1, predicted other test images; left out" in recipe.contradictions
