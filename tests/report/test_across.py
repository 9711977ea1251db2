"""What a report says of several datasets: who ranks best over them, and how accuracy grows with training images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from mnistarena.report.charts.across import mean_ranks
from mnistarena.report.charts.style import styles
from mnistarena.report.view import ReportData, build
from mnistarena.report.write import write_report
from mnistarena.store.results import read_run

from .synthetic import FAILED, MODELS, build_run

MANY = tuple("abcdefgh")
THREE = {label: {**MODELS["cnn"], "accuracy": mean} for label, mean in (("low", 0.6), ("mid", 0.75), ("top", 0.9))}


def view_of(path: Path, **options: Any) -> ReportData:
    return build(read_run(build_run(path, **{"models": THREE, "n": 200, "seeds": 2, "epochs": 1, **options})))


def test_the_ranks_are_tested_on_seed_means_as_scipy_would(tmp_path: Path) -> None:
    skill = {("low", "a"): 0.95, ("mid", "b"): 0.95, ("low", "c"): 0.8}
    found = view_of(tmp_path, datasets=MANY, skill=skill).across
    run = read_run(tmp_path)
    means = {
        label: [sum(t.metrics["accuracy"] or 0 for t in run.of(label, dataset)) / 2 for dataset in MANY]
        for label in THREE
    }
    assert found is not None
    assert [row.label for row in found.rows] == ["top", "mid", "low"]
    assert found.rows[0].mean_rank == pytest.approx(1.25)
    assert found.rows[0].means == pytest.approx(means["top"])
    assert found.friedman is not None
    assert found.friedman.chi_square == pytest.approx(stats.friedmanchisquare(*means.values()).statistic)
    assert "differ by more than chance (Friedman's test" in found.answer
    assert "With 8 datasets its p cannot be below 0.0078, 0.023 after the correction" in found.answer


def test_recipes_that_no_signed_rank_test_tells_apart_are_joined(tmp_path: Path) -> None:
    even = {("mid", dataset): 0.9 + (0.03 if at % 2 else -0.03) for at, dataset in enumerate(MANY)}
    view = view_of(tmp_path, datasets=MANY, skill=even)
    assert view.across is not None
    assert [set(group) for group in view.across.groups] == [{"top", "mid"}]
    figure = mean_ranks("ranks", view.across, styles(view.labels))
    assert "Not told apart: " in figure.description
    assert len(figure.table) == 3


def test_too_few_datasets_to_tell_any_pair_apart_are_said_to_be(tmp_path: Path) -> None:
    found = view_of(tmp_path, datasets=MANY[:5]).across
    assert found is not None
    assert found.headline.startswith("top has the best mean rank, 1.00 over 5 datasets; the ranks differ by more")
    assert "no pair could be told apart, whatever its scores; that takes 7 datasets" in found.answer


def test_below_five_datasets_nothing_is_tested_and_the_missing_ones_are_counted(tmp_path: Path) -> None:
    found = view_of(tmp_path, datasets=MANY[:3]).across
    assert found is not None
    assert found.friedman is None
    assert not found.pairs
    assert "at least 5 datasets, 2 more than there are" in found.answer
    assert "seeds are not datasets" in found.answer
    assert [row.mean_rank for row in found.rows] == [1, 2, 3]


def test_a_recipe_without_all_its_seeds_is_not_ranked_but_shown(tmp_path: Path) -> None:
    found = view_of(tmp_path, datasets=MANY[:2], failures={("top", 1): FAILED}).across
    assert found is not None
    assert [(row.label, row.mean_rank) for row in found.rows] == [("mid", 1), ("low", 2), ("top", None)]
    assert "Not ranked, because a result is missing on some dataset: top." in found.answer


def test_nothing_finished_is_no_error(tmp_path: Path) -> None:
    pending = {(label, seed): {"status": "pending"} for label in THREE for seed in range(2)}
    view = view_of(tmp_path, datasets=("a", "b"), failures=pending, data={"a": same(10), "b": same(20)})
    assert view.across is None
    assert view.growths[0].answer == "No trial has finished."
    other = view_of(tmp_path / "other", datasets=("a", "b"), failures=pending).across
    assert other is not None
    assert other.headline.startswith("No two recipes finished on all 2 datasets")


def same(images: int, **changes: Any) -> dict[str, Any]:
    return {"fingerprint": "one", "n_train": images, **changes}


def test_sizes_of_one_dataset_are_a_curve_and_count_once(tmp_path: Path) -> None:
    sizes = {"s": same(100), "m": same(1000), "l": same(4000)}
    skill = {("top", "s"): 0.5, ("mid", "s"): 0.74, ("low", "s"): 0.4}
    view = view_of(tmp_path, datasets=("l", "s", "other", "m"), data=sizes, skill=skill, baseline="low", n=500)
    (found,) = view.growths
    assert (found.label, found.sizes, found.datasets) == ("l", (100, 1000, 4000), ("s", "m", "l"))
    assert [one.label for one in found.recipes] == ["top", "mid", "low"]
    assert "mid at 100, better than each other; top at 1,000 and 4,000, better than each other" in found.answer
    assert "From 100 to 4,000 images the largest change of a mean was that of top, +39.90" in found.answer
    # At 100 images top is below what low reaches with all of them, at 1,000 it is not.
    assert "In this run the mean of top with 1,000 images is at least that of low with 4,000." in found.answer
    assert view.across is not None
    assert (view.across.datasets, view.across.left_out) == (("l", "other"), ("s", "m"))


@pytest.mark.parametrize("change", [{"test_limit": 100, "n_test": 100}, {"split_seed": 3}, {"fingerprint": "two"}])
def test_sizes_tested_on_other_images_are_no_curve(tmp_path: Path, change: dict[str, Any]) -> None:
    assert not view_of(tmp_path, datasets=("a", "b"), data={"a": same(10), "b": same(20, **change)}).growths


def test_a_recipe_that_is_another_at_another_size_is_named(tmp_path: Path) -> None:
    path = build_run(tmp_path, models=THREE, n=100, seeds=1, datasets=("a", "b"), data={"a": same(9), "b": same(20)})
    run = read_run(path)
    assert build(run).growths[0].unlike == ()
    run.plan["entries"][0]["training"] = {"epochs": 99}
    assert build(run).growths[0].unlike == ("low",)


def test_page_and_markdown_tell_of_both(several: Path, tmp_path: Path) -> None:
    one = build_run(tmp_path, models=THREE, n=100, seeds=1, epochs=1)
    write_report(one)
    for name in ("report.html", "report.md"):
        text, single = ((path / name).read_text("utf-8") for path in (several, one))
        for question in ("Which is better across datasets?", "How does accuracy grow with training images?"):
            assert text.count(question) == 1
            assert question not in single
    assert {"across-datasets.svg", "training-images-1.svg"} <= {path.name for path in several.rglob("*.svg")}
