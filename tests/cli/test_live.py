"""What a person sees on the terminal while a run goes on: how far it is, what runs, the ranking, a first line."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from mnistarena.cli import live, progress
from mnistarena.plan.resolve import resolve
from mnistarena.plugin.messages import RowAdded, StepsDone
from mnistarena.plugin.registry import installed
from mnistarena.spec.load import load_spec

SPEC = {
    "benchmark": {"name": "terminal", "seeds": [0, 1, 2], "metrics": ["accuracy", "log_loss"]},
    "dataset": [{"name": "digits", "validation": 100}],
    "training": {"epochs": 4},
    "model": [
        {"name": "cnn", "label": label, "training": {"optimizer": {"lr": 1 / (number + 9)}}}
        for number, label in enumerate(("a", "b", "c", "d", "e", "f", "a-model-whose-name-is-forty-columns-long"))
    ],
}


def plan_of(**changes):
    spec = {**SPEC, **changes}
    return resolve(load_spec(spec), installed())


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    for module in (live, progress):
        monkeypatch.setattr(module.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def begin():
    """Begin a run of a plan on a terminal that nobody looks at."""
    opened = []

    def start(plan, waiting=None, jobs=2, folder=Path("gone")):
        observer = live.LiveObserver(Console(file=io.StringIO(), force_terminal=True, width=100, height=30))
        opened.append(observer)
        conditions = {"jobs": jobs, "threads": 1, "device": "cpu", "device_name": "a processor", "torch": "2"}
        observer.planned(plan, plan.trials() if waiting is None else waiting, folder=folder, conditions=conditions)
        return observer

    yield start
    for observer in opened:
        observer.close()


def seen(observer, width=100, height=30):
    """The lines of the display on a terminal of this size."""
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(observer)
    lines = console.export_text().splitlines()
    assert all(len(line) < width for line in lines)
    assert len(lines) <= max(4, height - 2)
    return lines


def done(observer, trial, **metrics):
    observer.ended(trial, {"status": "done", "metrics": metrics})


def test_it_shows_how_far_it_is_what_runs_and_the_ranking(begin, clock):
    plan = plan_of()
    observer, trials = begin(plan), plan.trials()
    assert seen(observer) == ["all trials  0/21 trials  ────────────────────"]
    observer.started(trials[0], None)
    observer.started(trials[1], "node-7")
    clock.now += 5
    row = {"epoch": 1, "step": 10, "train_loss": 0.5, "validation_accuracy": 0.75}
    observer.event(trials[0], RowAdded(row))
    observer.event(trials[1], StepsDone(20, 40, loss=0.25))
    first, *running = seen(observer)
    # One takes 20 s, the other 10 s: the recipe is taken for the slower one, of which 15 s are left.
    assert first.startswith("all trials  0/21 trials, about 3:20 left")
    assert [re.split(" {2,}", line) for line in running] == [
        ["a (seed 0)", "epoch 1/4", "15.0 s left", "loss 0.5000", "validation 75.00%", "━" * 5 + "─" * 15],
        ["a (seed 1, node-7)", "epoch 2/4", "5.0 s left", "loss 0.2500", "━" * 10 + "─" * 10],
    ]
    clock.now += 5
    done(observer, trials[0], accuracy=0.8)
    observer.ended(trials[1], {"status": "failed", "error": {"message": "no"}})
    assert seen(observer) == [
        # Those that are left take 10 s each, as the one that is done: 19 of them, two at a time.
        "all trials  2/21 trials, 1 without a result, about 1:35 left  ━───────────────────",
        "accuracy so far, no verdict",
        "a  80.00%  1/3 trials",
    ]


def test_it_has_no_more_lines_than_jobs_and_none_that_is_too_wide(begin, clock):
    plan = plan_of()
    observer = begin(plan, jobs=3)
    for number, trial in enumerate(plan.trials()[::3]):
        observer.started(trial, None)
        observer.event(trial, StepsDone(number, 10, loss=1.0))
        if number < 6:
            done(observer, trial, accuracy=0.9 + number / 100)
    for trial in plan.trials()[1::3]:
        observer.started(trial, None)
        observer.event(trial, StepsDone(1, 10, loss=1.0))
    for width in (40, 60, 80, 120):
        lines = seen(observer, width)
        title = lines.index("accuracy so far, no verdict; 5 of 6")
        assert title == 1 + 3, "all trials, and a line for each of the jobs"
        assert lines[title - 1] == "and 6 more"
        assert [line.split()[-3] for line in lines[title + 1 :]] == ["95.00%", "94.00%", "93.00%", "92.00%", "91.00%"]
        assert all(re.search(r"epoch [13]/4( |$)", line) for line in lines[1:3])
    assert len(seen(observer, height=8)) == 6
    done(observer, plan.trials()[-2], accuracy=0.99)
    best = seen(observer, 40)[5]
    assert re.fullmatch(r"a-model-whose.*….*columns-long +99\.00%", best)


def test_the_ranking_goes_by_what_decides_and_holds_what_was_finished_before(begin, tiny_run, tiny_text, tmp_path):
    (tmp_path / "tiny.toml").write_text(tiny_text)
    plan = resolve(
        load_spec(tmp_path / "tiny.toml", ["benchmark.decide='log_loss'", "benchmark.margin=0.1"]), installed()
    )
    records = [json.loads(path.read_text()) for path in tiny_run.glob("trials/*/trial.json")]
    losses = {}
    for record in records:
        losses.setdefault(record["label"], []).append(record["metrics"]["log_loss"])
    observer = begin(plan, waiting=plan.trials()[:1], folder=tiny_run)
    waiting = plan.trials()[0].id
    (left,) = (record["metrics"]["log_loss"] for record in records if record["id"] == waiting)
    losses["cnn"].remove(left)
    best = sorted(losses, key=lambda label: sum(losses[label]) / len(losses[label]))
    title, *rows = seen(observer)[1:]
    assert title == "log_loss so far, no verdict"
    assert [row.split()[0] for row in rows] == best
    assert rows[best.index("cnn")].split()[1:] == [f"{losses['cnn'][0]:.4f}", "1/2", "trials"]
    assert re.search(r"0/1 trials, about [\d.]+ s left", seen(observer)[0]), "the others took as long"


def test_several_datasets_have_a_line_each(begin):
    plan = plan_of(dataset=[{"name": "digits", "label": f"data-{n}", "train_limit": 200 + n} for n in range(7)])
    observer = begin(plan)
    for number, trial in enumerate(plan.trials()):
        done(observer, trial, accuracy=0.5 + number / 1000)
    title, *lines = seen(observer, 70)[1:]
    assert title == "accuracy so far, no verdict; 5 of 7"
    assert lines[0].startswith("data-0: a-model-whose-name-is-forty-columns-long 62.")
    assert len(lines) == 5


def test_what_is_fitted_at_once_has_no_epochs(begin, clock):
    plan = plan_of(model=[{"name": "knn"}])
    observer, (trial,) = begin(plan), plan.trials()
    observer.started(trial, None)
    clock.now += 9
    observer.event(trial, RowAdded({"epoch": 1, "step": 1, "train_loss": None, "validation_accuracy": 0.5}))
    assert seen(observer)[1] == "knn (seed 0)  epoch 1  validation 50.00%"


FIRST = """
import sys
import click

def echo(message=None, **options):
    print(message)
    print(sorted({"numpy", "pydantic", "rich", "torch", "pluggy", "jinja2", "tomli"} & set(sys.modules)))
    sys.exit()

click.echo = echo
from mnistarena.cli import main
sys.argv = ["arena", "run", "tiny.toml"]
main()
"""


def test_the_first_line_comes_before_anything_is_loaded(write_spec):
    spec = write_spec()
    done = subprocess.run([sys.executable, "-c", FIRST], cwd=spec.parent, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["tiny.toml: getting ready: the spec, plugins, data, torch …", "[]"], done.stderr
