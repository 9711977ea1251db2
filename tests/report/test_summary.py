"""What stands in a pull request, in a terminal's line and first in the Markdown: short, with the report's figures."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mnistarena.report.charts.all import figures
from mnistarena.report.view import build
from mnistarena.report.write import write_report
from mnistarena.store.results import read_run

from ..helpers import ROOT
from .synthetic import MODELS, build_run

LONG = "a label that is long | with a pipe\nand `a tick` number"


def tables(text: str) -> list[list[list[str]]]:
    """The cells of each table of a Markdown text."""
    found = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    return [[re.split(r"(?<!\\)\|", row)[1:-1] for row in table.splitlines()] for table in found]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty models with hostile labels, a few of which failed."""
    models = {f"{LONG} {n}": {**MODELS["cnn"], "accuracy": 0.9 + n / 300} for n in range(20)}
    failed = {"status": "failed", "error": {"type": "Error", "message": "no", "traceback": ""}}
    failures = {(f"{LONG} {n}", seed): failed for n in range(3) for seed in range(2)}
    return build_run(
        tmp_path_factory.mktemp("many"), models=models, failures=failures, seeds=2, n=200, epochs=1, validation=0
    )


def test_a_summary_is_one_line_that_says_what_failed(arena: Any, many: Path, five: Path) -> None:
    before = sorted(many.rglob("*"))
    line = arena("report", many, "--summary").out
    assert line.count("\n") == 1
    assert "6 of 40 trials have no result: 6 failed." in line
    headline = build(read_run(five)).comparisons[0].headline
    assert arena("report", five, "--summary").out == f"MNIST: five architectures: {headline}\n"
    refused = arena("report", many, "--summary", "--latex")
    assert (refused.status, "--summary writes nothing" in refused.err) == (2, True)
    assert sorted(many.rglob("*")) == before, "nothing is written"


@pytest.mark.parametrize("which", ["five", "troubled", "several", "many"])
def test_a_summary_in_markdown_has_fifteen_lines_and_six_columns_at_most(
    arena: Any, request: pytest.FixtureRequest, which: str
) -> None:
    run = request.getfixturevalue(which)
    text = arena("report", run, "--summary", "--markdown").out
    assert len(text.splitlines()) <= 15
    (table,) = tables(text)
    assert {len(row) for row in table} == {6}
    view = build(read_run(run))
    if which == "several":
        assert [row[0].strip() for row in table[2:]] == [comparison.label for comparison in view.comparisons]
    else:
        first = view.comparisons[0].rows[0]
        assert first.decided is not None
        assert table[2][2].strip() == f"{first.decided.estimate:.2%}".replace("%", "\u202f%")
        assert len(re.findall("^- ", text, flags=re.MULTILINE)) == min(len(view.caveats) + len(view.mixed), 3)
    if which == "many":
        assert re.search(r"^\| 1[0-9] more \|", text, flags=re.MULTILINE)


def test_a_comparison_in_markdown_has_regressions_first(arena: Any, many: Path, tmp_path: Path) -> None:
    labels = [f"{LONG} {n}" for n in range(20)]
    models = {label: {**MODELS["cnn"], "accuracy": 0.9 + n / 300} for n, label in enumerate(labels)}
    models[labels[19]]["accuracy"] = 0.5
    other = build_run(tmp_path, models=models, seeds=2, n=200, epochs=1, validation=0, salt="other")
    done = arena("compare", many, other, "--markdown", "--fail-on-regression")
    assert done.status == 1
    assert len(done.out.splitlines()) <= 15
    (table,) = tables(done.out)
    assert {len(row) for row in table} == {6}
    assert table[2][0].strip().endswith("number 19")
    assert "WORSE" in table[2][4]
    assert "12 more recipes are left out here." in done.out
    assert "Failed: of 20 recipes of the first run" in done.out


def test_the_markdown_begins_with_caveats_a_forest_plot_and_six_columns(troubled: Path) -> None:
    text = (troubled / "report.md").read_text("utf-8")
    begin = text.partition("<details>")[0]
    view = build(read_run(troubled))
    assert view.failure_answer in begin
    places = [begin.index("Different conditions"), begin.index("figures/forest.svg"), begin.index("| Model | Place |")]
    assert places == sorted(places)
    assert {len(row) for row in tables(begin)[0]} == {6}
    assert text.count("<details>") == text.count("</details>") >= 9
    for path in (troubled / "figures").glob("*.svg"):
        assert re.search(r'<rect width="[\d.]+" height="[\d.]+" fill="#ffffff"', path.read_text("utf-8")), (
            "it is readable on a dark host"
        )


def test_the_markdown_of_a_run_like_quick_has_twelve_kilobytes_at_most(tmp_path: Path) -> None:
    labels = {"cnn": "cnn", "faster-rcnn": "faster-rcnn", "vit": "vit-8", "logistic-regression": "alexnet"}
    run = build_run(tmp_path, models={label: MODELS[like] for label, like in labels.items()}, seeds=5, n=1000, epochs=2)
    (run / "spec.toml").write_text((ROOT / "specs" / "quick.toml").read_text())
    write_report(run, html=False)
    assert 8_000 < (run / "report.md").stat().st_size <= 12_000


def test_the_markdown_of_another_figure_that_decides_has_six_columns_too(tmp_path: Path) -> None:
    run = build_run(tmp_path, n=200, seeds=2, epochs=1, validation=0, decide="log_loss", margin=0.01)
    write_report(run, html=False)
    board = tables((run / "report.md").read_text("utf-8"))[0]
    assert [cell.strip() for cell in board[0][:4]] == ["Model", "Place", "log loss", "Accuracy, %"]
    assert {len(row) for row in board} == {6}


def test_the_forest_plot_draws_what_the_leaderboard_says(troubled: Path) -> None:
    view = build(read_run(troubled))
    (drawn,) = (figure for figure in figures(view) if figure.kind == "forest")
    rows = [row for row in view.comparisons[0].rows if row.accuracy]
    assert [row[0] for row in drawn.table] == [row.label for row in rows]
    values = [
        layer["data"].get("values") or drawn.spec["datasets"][layer["data"]["name"]] for layer in drawn.spec["layer"]
    ]
    bars, seeds, *_ = values
    for bar, row in zip(bars, rows, strict=True):
        assert row.accuracy is not None
        assert [1 - bar[end] for end in ("low", "mean", "high")] == pytest.approx(
            [row.accuracy.low, row.accuracy.estimate, row.accuracy.high], abs=1e-4
        )
        ticks = [1 - tick["seed"] for tick in seeds if tick["model"] == row.label]
        assert ticks == pytest.approx(list(row.seed_accuracies), abs=1e-4)


def test_the_markdown_of_a_copy_is_the_same(troubled: Path, tmp_path: Path, arena: Any) -> None:
    run = Path(shutil.copytree(troubled, tmp_path / "run"))
    assert arena("report", run, "--markdown", "--latex", "--figures", "paper").status == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert arena("report", run, "--markdown", "--latex", "--figures", "paper").status == 0
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert (run / "report.md").read_bytes() == (troubled / "report.md").read_bytes()
