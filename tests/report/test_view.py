"""What a report says is computed from the store, and honest about what the store cannot show."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnistarena.builtin import metrics
from mnistarena.errors import StoreError
from mnistarena.evidence.figure import Figure
from mnistarena.evidence.recipe import gather
from mnistarena.report.charts.style import styles
from mnistarena.report.downloads import downloads
from mnistarena.report.names import short_names
from mnistarena.report.sections import ranking
from mnistarena.report.view import ReportData, build
from mnistarena.store.results import read_run
from mnistarena.store.trial_folder import TrialFolder

from .synthetic import MODELS, build_run


def view_of(path: Path) -> ReportData:
    return build(read_run(path))


def test_the_leaderboard_is_ordered_by_accuracy_with_an_interval_around_each(five: Path) -> None:
    rows = view_of(five).comparisons[0].rows
    means = [row.accuracy.estimate for row in rows if row.accuracy]
    assert means == sorted(means, reverse=True)
    assert len(means) == 5
    assert all(row.accuracy and row.accuracy.low < row.accuracy.estimate < row.accuracy.high for row in rows)
    assert {row.interval_of for row in rows} == {"seeds"}


def test_accuracies_are_recomputed_from_predictions(five: Path) -> None:
    run = read_run(five)
    row = next(row for row in view_of(five).comparisons[0].rows if row.label == "cnn")
    assert row.seed_accuracies == pytest.approx([trial.metrics["accuracy"] for trial in run.of("cnn", "mnist")])


def test_the_headline_names_who_cannot_be_told_apart(five: Path) -> None:
    headline = view_of(five).comparisons[0].headline
    assert headline.startswith("No single winner: faster-rcnn")
    assert "cnn" in headline
    assert "vit-8" not in headline


def test_the_headline_names_a_clear_winner(tmp_path: Path) -> None:
    models = {"good": {**MODELS["cnn"], "accuracy": 0.98}, "poor": {**MODELS["cnn"], "accuracy": 0.8}}
    view = view_of(build_run(tmp_path, models=models))
    assert view.comparisons[0].headline.startswith("good is the most accurate")
    assert view.comparisons[0].rows[1].verdict == "worse"


def test_the_leaderboard_answers_by_the_figure_that_decides(tmp_path: Path) -> None:
    run = build_run(tmp_path, n=400, epochs=1, validation=0, decide="log_loss", margin=0.01)
    (comparison,) = view_of(run).comparisons
    known = {row.label: row.decided for row in comparison.rows if row.decided}
    best, worst = (end(known, key=lambda label: known[label].estimate) for end in (min, max))
    interval = f"{known[best].low:.4f} to {known[best].high:.4f}, over seeds and images"
    assert comparison.answers["ranking"] == (
        f"{best} has the lowest mean log loss, {known[best].estimate:.4f} (95 % interval {interval}); "
        f"{worst} the highest, {known[worst].estimate:.4f}."
    )
    found = read_run(run)
    unknown = gather(found, found.plan["datasets"][0], Figure("no_metric", higher_is_better=False, share=False))
    assert ranking.answer(unknown, unknown[0].decided.figure) == "The no metric of no model is known."


def test_one_seed_speaks_of_trained_models_only(tmp_path: Path) -> None:
    view = view_of(build_run(tmp_path, seeds=1))
    comparison = view.comparisons[0]
    assert "one seed each says nothing about the recipes" in comparison.headline
    assert {row.interval_of for row in comparison.rows} == {"one trained model"}
    assert {finding.kind for finding in comparison.findings} == {"checkpoint"}
    assert any(sentence.startswith("One seed:") for sentence in view.caveats)


def test_two_seeds_are_said_to_be_little(tmp_path: Path) -> None:
    view = view_of(build_run(tmp_path, seeds=2, n=300))
    assert any(sentence.startswith("Two seeds:") for sentence in view.caveats)


def test_a_recipe_with_a_failed_seed_is_not_compared_and_named(troubled: Path) -> None:
    view = view_of(troubled)
    rows = {row.label: row for row in view.comparisons[0].rows}
    assert rows["alexnet"].verdict == "not compared"
    assert (rows["alexnet"].finished, rows["alexnet"].seeds) == (2, 3)
    assert "1 of 3 seeds of alexnet did not finish" in " ".join(f.text for f in view.comparisons[0].findings)
    assert {(f.label, f.status) for f in view.failures} == {
        ("alexnet", "failed"),
        ("vgg16", "timeout"),
        ("vit-8", "pending"),
    }
    assert "3 of 15 trials have no result" in view.failure_answer


def test_a_baseline_is_whom_everybody_is_compared_with(troubled: Path) -> None:
    comparison = view_of(troubled).comparisons[0]
    assert comparison.reference == "cnn"
    assert comparison.family == "over the one pair that could be compared"


def test_all_pairs_are_one_family_with_a_baseline_too(troubled: Path) -> None:
    comparison = view_of(troubled).comparisons[0]
    assert len(comparison.pairs) == 10
    assert all(row.against in (None, comparison.pair(row.label, "cnn")) for row in comparison.rows)
    there, back = comparison.pair("faster-rcnn", "cnn"), comparison.pair("cnn", "faster-rcnn")
    assert there is not None
    assert back is not None
    assert there.difference is not None
    assert back.difference is not None
    assert there.difference.estimate == -back.difference.estimate


def test_recipes_that_nothing_beats_share_the_first_place(five: Path) -> None:
    rows = {row.label: row for row in view_of(five).comparisons[0].rows}
    assert rows["cnn"].place is not None
    assert rows["vit-8"].place is not None
    assert rows["cnn"].place[0] == 1 < rows["cnn"].place[1]
    assert rows["faster-rcnn"].place is not None
    assert rows["faster-rcnn"].place[0] == 1
    assert rows["vit-8"].place[0] >= 3


def test_a_recipe_that_cannot_be_compared_has_no_place(troubled: Path) -> None:
    rows = {row.label: row for row in view_of(troubled).comparisons[0].rows}
    assert rows["alexnet"].place is None


def test_an_undecided_pair_says_what_would_decide_it(five: Path) -> None:
    said = next(f.text for f in view_of(five).comparisons[0].findings if f.kind == "undecided" and "cnn" in f.text)
    assert "test set is too small" in said or "seeds of each" in said


def test_the_margin_of_the_spec_decides_what_is_equal(tmp_path: Path) -> None:
    models = {"a": MODELS["cnn"], "b": {**MODELS["cnn"], "accuracy": 0.985}}
    assert view_of(build_run(tmp_path / "narrow", models=models)).comparisons[0].pairs[0].verdict != "equal"
    wide = view_of(build_run(tmp_path / "wide", models=models, margin=0.05))
    assert wide.margin == 0.05
    assert "b is practically equal to it (within ±5" in wide.comparisons[0].headline


def test_images_that_every_model_gets_wrong_come_first_and_label_errors_are_marked(five: Path) -> None:
    tiles = view_of(five).comparisons[0].tiles
    shared = [len(tile.misses) for tile in tiles[:20]]
    assert shared == sorted(shared, reverse=True)
    assert {tile.index for tile in tiles if tile.known_error} <= {947, 1621, 1901}
    run = read_run(five)
    first = tiles[0]
    assert str(run.test_split("mnist")["labels"][first.index]) == first.true
    for miss in first.misses:
        wrong = [int(t.predictions().predicted[first.index]) for t in run.of(miss.label, "mnist")]
        wrong = [predicted for predicted in wrong if str(predicted) != first.true]
        assert len(wrong) == miss.wrong
        assert wrong.count(int(miss.predicted)) == max(map(wrong.count, wrong))


def test_accuracy_without_the_known_label_errors_leaves_out_these_images(five: Path) -> None:
    run = read_run(five)
    row = next(row for row in view_of(five).comparisons[0].label_errors if row.label == "cnn")
    kept = [at for at in range(2000) if at not in (947, 1621, 1901)]
    found = [trial.predictions() for trial in run.of("cnn", "mnist")]
    assert row.without == pytest.approx(sum((p.predicted == p.labels)[kept].mean() for p in found) / 3)
    assert row.errors == 3


def test_recall_of_a_class_is_its_share_recognised(five: Path) -> None:
    from sklearn.metrics import recall_score

    found = [trial.predictions() for trial in read_run(five).of("vgg16", "mnist")]
    matrix = next(m for m in view_of(five).comparisons[0].matrices if m.label == "vgg16")
    each = [recall_score(p.labels, p.predicted, average=None) for p in found]
    assert matrix.recall == pytest.approx([float(sum(column) / 3) for column in zip(*each, strict=True)])


def test_calibration_agrees_with_the_metrics(five: Path) -> None:
    run = read_run(five)
    one = next(r for r in view_of(five).comparisons[0].reliabilities if r.label == "cnn")
    found = [trial.predictions() for trial in run.of("cnn", "mnist")]
    for name, params in (("log_loss", metrics.NoParams()), ("brier", metrics.NoParams()), ("ece", metrics.EceParams())):
        expected = sum(getattr(metrics, name)(predictions, params) for predictions in found) / 3
        assert getattr(one, name) == pytest.approx(expected, rel=1e-9)
    assert sum(images for *_, images in one.points) <= 2000
    assert all(low <= wrong <= high for _, wrong, low, high, _ in one.points)


def test_times_of_unlike_conditions_are_not_ranked(troubled: Path) -> None:
    view = view_of(troubled)
    assert not view.comparisons[0].times_comparable
    assert "not ranked" in view.comparisons[0].answers["time"]
    assert any(sentence.startswith("threads: ") for sentence in view.mixed)


def test_shortcuts_and_notes_are_told(five: Path) -> None:
    caveats = " ".join(view_of(five).caveats)
    assert "imagenet weights could not be fetched" in caveats
    assert "not for whole epochs: vgg16 (100)" in caveats
    assert "vgg16 (32×32)" in caveats


def test_a_stored_figure_that_its_predictions_do_not_give_is_refused(tmp_path: Path) -> None:
    build_run(tmp_path, n=300)
    folder = TrialFolder(next(tmp_path.glob("trials/cnn-*s0*")))
    content = folder.read()
    folder.write({**content, "metrics": {**content["metrics"], "accuracy": 0.9999}})
    assert any("cnn, seed 0: accuracy is stored as 0.999900" in text for text in view_of(tmp_path).contradictions)


def test_a_run_without_validation_shows_the_training_loss(tmp_path: Path) -> None:
    comparison = view_of(build_run(tmp_path, validation=0, n=300)).comparisons[0]
    assert not comparison.curves["validation_accuracy"]
    assert comparison.curves["train_loss"]
    assert "no validation split" in comparison.answers["learning"]


def test_a_run_that_has_not_started_has_nothing_to_compare(tmp_path: Path) -> None:
    pending = {(label, seed): {"status": "pending"} for label in MODELS for seed in range(3)}
    view = view_of(build_run(tmp_path, failures=pending))
    assert "No trial has finished" in view.comparisons[0].headline
    assert view.finished == 0


def test_a_model_keeps_its_style_on_every_dataset(tmp_path: Path) -> None:
    view = view_of(build_run(tmp_path, datasets=("mnist", "fashion"), n=300))
    assert len(view.comparisons) == 2
    assert view.labels == tuple(MODELS)
    assert {row.label for comparison in view.comparisons for row in comparison.rows} == set(styles(view.labels))


def test_beyond_eight_models_no_two_look_alike(tmp_path: Path) -> None:
    models = {f"model {i}": MODELS["cnn"] for i in range(20)}
    view = view_of(build_run(tmp_path, models=models, seeds=1, n=100))
    assert len(set(styles(view.labels).values())) == 20


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"plan\.json is missing"):
        view_of(tmp_path)


def test_building_a_view_needs_no_chart_library(five: Path) -> None:
    code = (
        "import sys; from mnistarena.report.view import build; from mnistarena.store.results import read_run;"
        f"build(read_run({str(five)!r})); print(sorted({{'torch', 'altair', 'pandas', 'jinja2'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_detectors_boxes_are_drawn_on_the_images_that_are_shown(tmp_path: Path) -> None:
    build_run(tmp_path, models={name: MODELS[name] for name in ("cnn", "vit-8")}, seeds=2, n=300)
    run = read_run(tmp_path)
    for trial in run.of("vit-8", "mnist"):
        boxes = np.tile(np.array([0.25, 0.1, 0.75, 0.9], np.float32), (300, 1))
        boxes[:150] = 0  # where nothing was found
        trial.folder.write_predictions(replace(trial.predictions(), extras={"boxes": boxes}))
        record = trial.folder.read()
        assert record is not None
        trial.folder.write(record)
    tiles = view_of(tmp_path).comparisons[0].tiles
    seen = {tile.index: tile.boxes for tile in tiles}
    place = {int(at): row for row, at in enumerate(run.trials[0].predictions().index)}
    for index, found in seen.items():
        assert [(b.label, b.left, b.top, b.width, b.height) for b in found] == (
            [("vit-8", 25.0, 10.0, 50.0, 80.0)] if place[index] >= 150 else []
        )
    assert any(seen.values())


def test_each_factor_of_a_grid_is_the_mean_of_the_recipes_that_share_its_value(tmp_path: Path) -> None:
    models = {
        f"cnn[width=[{w},8],norm={norm}]": {**MODELS["cnn"], "accuracy": 0.8 + 0.02 * w + 0.05 * (norm == "true")}
        for w in (1, 4)
        for norm in ("true", "false")
    }
    comparison = view_of(build_run(tmp_path, models={**models, "vit": MODELS["vit-8"]}, seeds=2, n=500)).comparisons[0]
    (grid,) = comparison.factors
    means = {row.label: row.decided.estimate for row in comparison.rows if row.decided}
    width, norm = grid.factors
    assert [(one.name, [level.value for level in one.levels]) for one in grid.factors] == [
        ("width", ["[1,8]", "[4,8]"]),
        ("norm", ["true", "false"]),
    ]
    narrow = [mean for label, mean in means.items() if "width=[1" in label]
    assert (width.levels[0].recipes, width.levels[0].mean) == (2, pytest.approx(np.mean(narrow)))
    assert grid.table is not None
    assert grid.table[1][0].mean == pytest.approx(means["cnn[width=[4,8],norm=true]"])
    assert comparison.answers["factors"].startswith("Over 4 recipes of cnn: width [4,8] has the best mean, ")
    assert norm.levels[0].mean > norm.levels[1].mean  # type: ignore[operator]


def test_a_grid_has_short_names_in_its_report_and_labels_in_what_is_taken_along(tmp_path: Path) -> None:
    labels = [f"cnn[channels=[{c},8],norm={norm},epochs=3]" for c in (4, 6) for norm in ("true", "false")]
    run = build_run(tmp_path / "run", models=dict.fromkeys(labels, MODELS["cnn"]) | {"vit": MODELS["vit-8"]}, n=200)
    short = build(read_run(run), short=True)
    assert list(short.labels) == [
        "cnn · channels [4,8] · norm", "cnn · channels [4,8] · no norm",
        "cnn · channels [6,8] · norm", "cnn · channels [6,8] · no norm", "vit",
    ]  # fmt: skip
    long = view_of(run)
    assert [short.long_names.get(row.label, row.label) for row in short.comparisons[0].rows] == [
        row.label for row in long.comparisons[0].rows
    ]
    assert [row["label"] for row in short.table] == [row["label"] for row in long.table]
    assert downloads(replace(short, caveats=()))[0] == downloads(long)[0]
    assert short_names(["a[x=1]", "a[x=2]", "a · x 1"]) == {}, "no two recipes have one name"
