"""What a notebook shows of a run while it goes on; tests/plugin/test_cells.py has it in a real kernel."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import mnistarena
from mnistarena.execution.jupyter import LINES, Board

SPEC = {
    "benchmark": {"name": "shown", "seeds": list(range(6))},
    "dataset": [{"name": "digits", "train_limit": 100, "test_limit": 100}],
    "model": [{"name": "random-forest", "params": {"n_estimators": 3}}],
}


def told(board, kind, label="cnn", seed=0, dataset="digits", **fields):
    board.told(
        {"event": kind, "trial": f"{label}{dataset}{seed}", "label": label, "dataset": dataset, "seed": seed} | fields
    )


def lines(board, seconds=0):
    return board.lines(board.began + seconds)


def test_a_line_for_all_and_one_for_each_trial_that_runs():
    board = Board()
    assert lines(board) == []
    board.told({"event": "planned", "waiting": [{"dataset": "digits"}] * 2})
    told(board, "started", host=None)
    assert lines(board, 42) == ["0 of 2 trials finished · 0:42", "cnn, seed 0: starting"]
    told(board, "stage", stage="training")
    assert lines(board)[1] == "cnn, seed 0: training"
    told(board, "steps", step=12, total=40, loss=0.5)
    assert lines(board)[1] == "cnn, seed 0: step 12 of 40, loss 0.5000"
    told(board, "row", row={"epoch": 1.0, "train_loss": None}, split=2)
    assert lines(board)[1] == "cnn, seed 0, split 2: epoch 1"
    told(board, "failed")
    board.told({"event": "further", "waiting": [{"dataset": "mnist"}]})
    told(board, "started", search={"number": 3, "repeat": 1})
    assert lines(board, 3605) == [
        "0 of 3 trials finished, 1 failed · 1:00:05",
        "cnn on digits, search trial 4, repeat 2: starting",
    ]
    told(board, "done")
    assert lines(board) == ["1 of 3 trials finished, 1 failed · 0:00"]


def test_it_stays_small_however_many_trials_run():
    board = Board()
    board.told({"event": "planned", "waiting": [{"dataset": "digits"}] * 30})
    for seed in range(30):
        told(board, "started", seed=seed)
    shown = lines(board)
    assert len(shown) == LINES
    assert shown[-2:] == ["cnn, seed 7: starting", "and 22 more"]


@pytest.mark.parametrize("kernel", [True, False])
def test_a_display_that_fails_costs_a_run_nothing_and_outside_of_a_kernel_there_is_none(kernel, tmp_path, monkeypatch):
    calls = []

    def display(*arguments, **options):
        calls.append(arguments)
        raise RuntimeError("a front end that cannot display")

    shell = SimpleNamespace(kernel=object()) if kernel else SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))

    assert mnistarena.run(SPEC, out=tmp_path / "run").complete
    assert len(calls) == kernel
