"""The shared leaderboards of `arena site`: which recipes are one, what is told of runs that differ, and the marks."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mnistarena import load_run
from mnistarena.evidence.pooled import Source
from mnistarena.report.site.board import Board, board
from mnistarena.report.site.drawing import height, history_scale, panel
from mnistarena.report.site.history import Line, Point
from mnistarena.report.site.pages import board_page
from mnistarena.report.site.runs import RunEntry
from mnistarena.report.site.write import write_site
from mnistarena.stats.intervals import Interval
from mnistarena.store.trial_folder import TrialFolder

from .synthetic import build_run

MODEL = {"accuracy": 0.9, "spread": 0.01, "seconds": 3.0, "parameters": 10}
PAIR = {"cnn": {**MODEL, "accuracy": 0.97}, "vit": MODEL}


def made(*paths: Path) -> Board:
    """The board of some runs, in the order of their times."""
    found = [load_run(path) for path in paths]
    return board("x", [Source(run, run.plan["datasets"][0], name=run.path.name) for run in found])


def test_runs_of_one_name_and_with_other_true_classes(tmp_path: Path) -> None:
    for parent in ("a", "b", "C"):
        build_run(tmp_path / parent / "Quick", models={"cnn": MODEL}, n=80, epochs=1, seeds=2, salt=parent)
    for path in tmp_path.glob("C/Quick/trials/*"):
        arrays = dict(np.load(path / "predictions.npz"))
        arrays["labels"] = arrays["labels"][::-1]
        np.savez_compressed(path / "predictions.npz", **arrays)
        TrialFolder(path).write(TrialFolder(path).read())
    site = write_site([tmp_path / "a", tmp_path / "b" / "Quick", tmp_path / "C"], tmp_path / "site")
    assert sorted(run.address for run in site.runs) == ["Quick", "Quick-2", "Quick-3"]
    (shared,) = site.boards
    assert {row.label for row in shared.rows} == {"cnn (Quick)", "cnn (Quick-2)"}
    assert "Quick-3 is left out: its test images have other true classes than those of the others." in shared.notes


SPEC = """
[benchmark]
name = "forests"
seeds = {seeds}

[[dataset]]
name = "digits"
train_limit = 200
test_limit = 300

[[model]]
name = "random-forest"
{label}
params = {{ n_estimators = 5 }}
"""


@pytest.fixture(scope="module")
def forests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one recipe, with a seed in common."""
    from ..conftest import within

    root = tmp_path_factory.mktemp("forests")
    for name, seeds, label in (("first", "[0, 1]", ""), ("second", "[1, 2]", 'label = "woods"')):
        (root / f"{name}.toml").write_text(SPEC.format(seeds=seeds, label=label))
        done = within(root, "run", f"{name}.toml", "--out", f"runs/{name}")
        assert done.status == 0, done.out + done.err
    return root


def test_seeds_of_one_recipe_come_together(forests: Path) -> None:
    site = write_site([forests / "runs"], forests / "pooled")
    (shared,) = site.boards
    (row,) = shared.rows
    assert (row.label, row.runs, row.finished) == ("random-forest", ("first", "second"), 3)
    stored = {t.seed: t.metrics["accuracy"] for name in row.runs for t in load_run(forests / "runs" / name).trials}
    assert row.seed_values == pytest.approx([stored[seed] for seed in (0, 1, 2)])
    assert "random-forest is called woods in second." in shared.notes
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", run.day) for run in site.runs)


def test_a_mark_names_what_was_proved_and_belongs_to_these_records_alone(arena, forests: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(forests / "runs", runs)
    proof = arena("verify", runs / "first", "--sample", 1, "--json")
    assert proof.status == 0, proof.err
    assert len(json.loads(proof.out)["findings"]) == 3
    assert "2 finished trials checked" in proof.err
    (tmp_path / "verified.json").write_text(proof.out)

    def marks() -> dict[str, str]:
        written = arena("site", runs, "--output", tmp_path / "site", "--verified", tmp_path / "verified.json")
        assert written.status == 0, written.err
        page = (tmp_path / "site" / "index.html").read_text()
        found = re.findall(r'<li class="entry" id="run-(\w+)">(.*?)</li>', page, re.DOTALL)
        said = {name: re.search(r'class="mark \w+">(.*)</p>', text) for name, text in found}
        return {name: re.sub(r"</?b>", "", match.group(1)) for name, match in said.items() if match}

    assert marks() == {
        "first": "✓ Verified: every metric of 2 finished trials was recomputed from the stored predictions, "
        "bit-identical; 1 of them trained again, with bit-identical predictions, history and weights."
    }
    changed = TrialFolder(next(runs.glob("first/trials/*s0*")))
    changed.write({**changed.read(), "notes": ["changed"]})
    assert marks()["first"].startswith("Verified in part: every metric of 1 of 2 finished trials was recomputed")
    shutil.rmtree(runs / "first")
    (runs / "second").rename(runs / "first")
    assert marks() == {}, "a name is not what a mark belongs to"
    (tmp_path / "verified.json").write_text('{"findings": "all of them"}')
    refused = arena("site", runs, "--output", tmp_path / "site", "--verified", tmp_path / "verified.json")
    assert refused.status == 2
    assert "is not what arena verify --json prints" in refused.err


def test_a_check_that_failed_is_told(forests: Path, arena, tmp_path: Path) -> None:
    shutil.copytree(forests / "runs" / "first", tmp_path / "runs" / "first")
    path = next(tmp_path.glob("runs/first/trials/*s0*"))
    folder = TrialFolder(path)
    folder.write({**folder.read(), "metrics": {**folder.read()["metrics"], "log_loss": 0.001}})
    next(tmp_path.glob("runs/first/trials/*s1*/history.jsonl")).write_text("altered")
    proof = arena("verify", tmp_path / "runs" / "first", "--sample", 0, "--json")
    assert proof.status == 1
    assert str(tmp_path) not in proof.out, "where a run lies is nobody else's business"
    assert [finding["ok"] for finding in json.loads(proof.out)["findings"]] == [False, False]
    next(tmp_path.glob("runs/first/trials/*s1*/history.jsonl")).write_bytes(
        next(forests.glob("runs/first/trials/*s1*/history.jsonl")).read_bytes()
    )
    (tmp_path / "verified.json").write_text(proof.out)
    site = write_site([tmp_path / "runs"], tmp_path / "site", verified=[tmp_path / "verified.json"])
    (run,) = site.runs
    assert run.mark is not None
    assert run.mark.kind == "different"
    assert "log_loss is recorded as 0.001" in site.index.read_text()


def test_a_board_has_a_bound_that_does_not_look_at_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mnistarena.report.site.board.MOST_RECIPES", 3)
    small = {"n": 100, "epochs": 1, "seeds": 2}
    older = build_run(tmp_path / "older", models={**PAIR, "best": {**MODEL, "accuracy": 0.99}}, **small)
    newer = build_run(tmp_path / "newer", models={"worst": {**MODEL, "accuracy": 0.3}, **PAIR}, salt="b", **small)
    shown = made(older, newer)
    assert {row.label for row in shown.rows} == {"worst", "cnn (newer)", "vit (newer)"}
    assert "A board compares 3 recipes at most: 3 recipes of older runs left out." in shown.notes


def test_what_runs_do_not_agree_on_is_told(tmp_path: Path) -> None:
    """Seeds that have not ended, margins, and the figure that decides."""
    waiting = {("vit", 2): {"status": "pending"}}
    small = {"models": PAIR, "n": 200, "epochs": 1}
    by_loss = build_run(tmp_path / "loss", decide="log_loss", margin=0.02, **small)
    again = build_run(tmp_path / "again", decide="log_loss", margin=0.01, failures=waiting, **small)
    plain = build_run(tmp_path / "plain", salt="c", **small)

    losses = made(by_loss, again)
    assert (losses.figure.label, losses.margin) == ("log_loss", 0.01)
    assert "These runs have margins from 0.01 to 0.02: here the smallest applies." in losses.notes
    assert "vit: its seeds in again have not all ended, so none of these counts yet." in losses.notes
    stored = [trial.metrics["log_loss"] for trial in load_run(by_loss).trials if trial.label == "vit"]
    assert {row.label: row.seed_values for row in losses.rows}["vit"] == pytest.approx(stored)
    entries = [RunEntry(name, address=name) for name in losses.runs]
    assert f"{np.mean(stored):.4f}" in board_page(losses, entries)
    accuracies = made(by_loss, plain)
    assert accuracies.figure.label == "accuracy"
    assert any(note.startswith("These runs decide by different figures") for note in accuracies.notes)


def test_a_board_that_cannot_be_made_leaves_the_rest(
    forests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str, sources: list[Source]) -> Board:
        raise ArithmeticError(f"{sources[0].run.path}/plan.json is odd")

    monkeypatch.setattr("mnistarena.report.site.write.board", broken)
    site = write_site([forests / "runs"], tmp_path / "site")
    assert len(site.runs) == 2
    assert site.boards == ()
    assert "The leaderboard digits</strong>: ArithmeticError: first/plan.json is odd" in site.index.read_text()


def test_a_history_of_many_runs_is_drawn_with_one_area() -> None:
    accuracies = [Interval(0.9 + 0.001 * (day % 7), 0.88, high=0.95) for day in range(50)]
    points = tuple(
        Point(f"run-{day}", "", column=day, accuracy=one, interval_of="seeds", seeds=3, changed=False)
        for day, one in enumerate(accuracies)
    )
    line = Line("cnn", points)
    up = history_scale([line])
    drawing = str(panel(line, up, columns=50))
    (band,) = re.findall(r'class="band" d="M(.*)z"', drawing)
    corners = [tuple(map(float, corner.split())) for corner in band.split("L")]
    assert [y for _, y in corners] == pytest.approx([height(up, 0.95)] * 50 + [height(up, 0.88)] * 50, abs=0.01)
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', drawing)]
    assert heights == pytest.approx([height(up, one.estimate) for one in accuracies], abs=0.01)
    across = [float(x) for x in re.findall(r'cx="([\d.]+)"', drawing)]
    assert across == sorted(set(across))
    assert [x for x, _ in corners] == across + across[::-1]
