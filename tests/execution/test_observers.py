"""Observers of plugins: told what a run does, in a thread of their own; whatever they do, the run stays the same."""

from __future__ import annotations

import json
import re

import pytest

import mnistarena
from mnistarena.execution import observers

from ..helpers import bits

PLUGIN = """
import json
import threading
import time
from mnistarena import ArenaError, ModelDef, ObserverDef, Params, hookimpl, load_run
from pydantic import Field


class NotesParams(Params):
    path: str = Field("notes.jsonl", description="file")


def notes(params):
    file = open(params.path, "a", buffering=1)

    def tell(event):
        if event["event"] == "ended":
            event["read"] = [t.status for t in load_run(event["folder"]).trials]
        print(json.dumps({**event, "thread": threading.current_thread() is threading.main_thread()}), file=file)

    return tell


def vandal(params):
    def tell(event):
        for value in list(event.values()):
            if isinstance(value, dict):
                value.clear()
        event.clear()
        event["event"] = "row"

    return tell


def refused(params):
    raise ArenaError("the service at nowhere:1 does not answer")


def failing(params):
    def tell(event):
        if event["event"] == "row":
            raise SystemExit("enough")

    return tell


def stuck(params):
    def tell(event):
        if event["event"] == "row":
            time.sleep(600)

    return tell


def build(params, task):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(64, task.n_classes))


@hookimpl
def arena_models():
    return [ModelDef("line", "a linear layer", params=Params, build=build)]


@hookimpl
def arena_observers():
    made = [ObserverDef(f.__name__, "x", params=Params, start=f) for f in (vandal, refused, failing, stuck)]
    return [*made, ObserverDef("notes", "x", params=NotesParams, start=notes)]
"""

SPEC = """
plugins = ["watching.py"]
[benchmark]
name = "observed"
seeds = [0, 1]
[[dataset]]
name = "digits"
train_limit = 60
validation = 20
test_limit = 30
[training]
epochs = 3
[[model]]
name = "line"
"""


@pytest.fixture
def spec(write_spec, tmp_path):
    (tmp_path / "watching.py").write_text(PLUGIN)
    return write_spec(SPEC, "observed.toml")


def told(folder):
    """What the observer "notes" was told."""
    return [json.loads(line) for line in (folder / "notes.jsonl").read_text().splitlines()]


def test_observers_that_fail_or_hang_or_change_what_they_are_told_cost_a_notice_each(
    arena, spec, tmp_path, monkeypatch
):
    monkeypatch.setattr(observers, "END_SECONDS", 3.0)
    chosen = [part for name in ("vandal", "refused", "failing", "stuck", "notes") for part in ("--observer", name)]
    result = arena("run", spec, *chosen, "--observer-set", "notes.path=notes.jsonl", "--out", "run", "--jobs", 1)
    assert result.status == 0, result.out + result.err
    notices = re.findall(r'the observer "(\w+)" is told no more: (.*?)\. No result', " ".join(result.out.split()))
    said = dict(notices)
    assert len(notices) == len(said) == 3
    assert said["refused"] == "the service at nowhere:1 does not answer"
    assert re.fullmatch(r"SystemExit: enough \(watching.*\.py, line \d+\)", said["failing"])
    assert said["stuck"] == "3 s after the run it had not taken all that it was told"

    events = told(tmp_path)
    assert not any(event["thread"] for event in events)
    kinds = [event["event"] for event in events if event["event"] not in ("steps", "stage", "notice")]
    assert kinds == ["planned", *["started", *["row"] * 3, "done"] * 2, "ended"]
    assert events[-1]["outcome"] == "complete"
    assert events[-1]["read"] == ["done", "done"]
    for trial in mnistarena.load_run(tmp_path / "run").trials:
        own = [event for event in events if event.get("trial") == trial.id]
        assert [event["row"] for event in own if event["event"] == "row"] == trial.history()
        assert own[-1]["metrics"] == trial.metrics

    # Without anybody who follows, the same bits.
    assert arena("run", spec, "--out", "alone", "--jobs", 1).status == 0
    assert bits(tmp_path / "run") == bits(tmp_path / "alone")


def test_one_that_is_far_behind_is_left_out_and_the_run_waits_for_nothing(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(observers, "MOST_WAITING", 4)
    monkeypatch.setattr(observers, "END_SECONDS", 0.1)
    monkeypatch.chdir(tmp_path)

    class Notices(mnistarena.Observer):
        said = ()

        def notice(self, sentence):
            self.said = (*self.said, sentence)

    options = mnistarena.Options("cpu", 1, threads=1, observers={"stuck": {}})
    heard = Notices()
    run = mnistarena.run(spec, out="run", overrides=["benchmark.seeds=[0]"], options=options, observer=heard)
    assert run.complete
    assert 'the observer "stuck" is told no more: it is 4 events behind. No result depends on it' in heard.said


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--observer", "note"], 2, 'unknown observer "note"; did you mean "notes"'),
        (["--observer", "notes", "--observer-set", "file=x"], 2, 'the observer "notes": unknown parameter "file"'),
        (["--observer-set", "path=x"], 2, "there is no --observer that it is for"),
        (
            ["--observer", "notes", "--observer", "stuck", "--observer-set", "path=x"],
            2,
            "say whose parameter it is, notes or stuck: NAME.KEY=VALUE",
        ),
    ],
)
def test_an_observer_that_there_is_not_is_told_before_anything_runs(arena, spec, tmp_path, arguments, status, says):
    result = arena("run", spec, *arguments, "--out", "run")
    assert result.status == status
    assert says in " ".join(result.err.split())
    assert not (tmp_path / "run" / "trials").exists()


def test_a_spec_that_is_wrong_starts_no_observer_and_a_run_that_lacks_a_result_is_told_as_such(arena, spec, tmp_path):
    named = ["--observer", "notes", "--out", "run"]
    assert arena("run", spec, *named, "--set", "training.epochs=-1").status == 2
    assert not (tmp_path / "notes.jsonl").exists()
    assert arena("run", spec, *named, "--set", "training.time_limit=0.01s", "--set", "benchmark.seeds=[0]").status == 1
    ended = told(tmp_path)[-1]
    assert (ended["event"], ended["outcome"], ended["exit_status"]) == ("ended", "incomplete", 1)


def test_observers_are_given_by_name_with_their_parameters():
    with pytest.raises(mnistarena.ArenaError, match="give a mapping of names"):
        mnistarena.Options(observers=["notes"])
