"""`arena run --json`: an event a line, as docs/events.md says, whatever becomes of the run."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from collections import Counter

import pytest
from pydantic import TypeAdapter

import mnistarena
from mnistarena.cli.events import JsonObserver

from ..helpers import ROOT, records

NOISY = """
import os
import sys
from mnistarena import ModelDef, Params, hookimpl

print("a plugin prints")
if "pytest" not in sys.modules:
    os.write(1, b"past Python\\n")

def build(params, task):
    raise RuntimeError("nothing to \\x1b[31mbuild")

@hookimpl
def arena_models():
    return [ModelDef("raises", "fails at once", params=Params, build=build)]
"""

SPEC = """
plugins = ["noisy.py"]
[benchmark]
name = "events"
metrics = ["accuracy"]
[[dataset]]
name = "digits"
validation = 100
train_limit = 300
[training]
epochs = {epochs}
[[model]]
name = "cnn"
[[model]]
name = "raises"
"""

TRIAL = {"trial", "label", "dataset", "seed"}


def documented():
    """The keys of each event, from the table of docs/events.md, without those that stand in every one."""
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]*) \| [^|]+ \|$", (ROOT / "docs" / "events.md").read_text(), re.M)
    return {
        name: set(re.findall(r"`(\w+)`", keys)) | (TRIAL if "*trial*" in keys else set())
        for names, keys in rows
        for name in re.findall(r"`(\w+)`", names)
    }


def parsed(text):
    """The events in what was printed, each with the keys that are documented."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        # What observers are told has the same types; it never ends without a folder.
        TypeAdapter(mnistarena.RunEvent).validate_python({**event, "folder": event.get("folder") or ""})
        assert event.pop("version") == 1
        assert event.pop("time").endswith("+00:00")
        assert event.keys() - {"event"} == documented()[event["event"]], event
    return events


def counts_agree(events, run):
    """The last event's counts are those of the run folder, and of the events before it."""
    ended = events[-1]
    assert ended["event"] == "ended"
    stored = Counter(record["status"] for record in records(run))
    assert {key: n for key, n in ended["trials"].items() if key != "pending"} == stored
    assert stored == Counter(event["event"] for event in events if event["event"] in stored)
    assert sum(ended["trials"].values()) == next(e["trials"] for e in events if e["event"] == "planned")
    return ended


@pytest.fixture
def spec(write_spec, tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY)
    return lambda epochs: write_spec(SPEC.format(epochs=epochs))


def test_every_line_is_an_event_and_people_read_standard_error(arena, spec, tmp_path):
    done = arena("run", spec(1), "--json", "--out", "run")
    assert done.status == 1
    assert done.out.isascii()
    events = parsed(done.out)
    ended = counts_agree(events, tmp_path / "run")
    assert (ended["outcome"], ended["exit_status"], ended["error"]) == ("incomplete", 1, None)
    assert ended["trials"] == {"done": 1, "failed": 1}
    kinds = [event["event"] for event in events]
    assert kinds[:2] == ["begun", "planned"]
    assert {"started", "stage", "row"} <= set(kinds)
    (failed,) = (event for event in events if event["event"] == "failed")
    assert failed["label"] == "raises"
    assert failed["error"]["message"] == "nothing to \x1b[31mbuild"
    (finished,) = (event for event in events if event["event"] == "done")
    assert finished["trial"] in [trial["trial"] for trial in events[1]["waiting"]]
    assert finished["metrics"] == next(r["metrics"] for r in records(tmp_path / "run") if r["status"] == "done")
    for said in ("a plugin prints", "1 of 2 trials are not done", "Next: arena report"):
        assert said in done.err
    assert "\x1b" not in done.err


def test_a_spec_that_is_refused_ends_with_its_problems(arena, write_spec):
    done = arena("run", write_spec("[benchmark]\nname = 'x'\n"), "--json")
    assert done.status == 2
    begun, ended = parsed(done.out)
    assert begun["event"] == "begun"
    assert (ended["outcome"], ended["exit_status"], ended["folder"], ended["trials"]) == ("error", 2, None, None)
    assert "nothing to run: there is no [[dataset]]" in ended["error"]
    assert ended["error"] in done.err


def test_sigterm_ends_with_how_far_it_came(spec, tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-m", "mnistarena", "run", str(spec(500)), "--json", "--out", "run", "--jobs", "1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in running.stdout:
        lines.append(line)
        if json.loads(line)["event"] == "row":
            running.send_signal(signal.SIGTERM)
            break
    rest, errors = running.communicate(timeout=120)
    assert running.returncode == 130
    events = parsed("".join(lines) + rest)
    ended = counts_agree(events, tmp_path / "run")
    assert (ended["outcome"], ended["exit_status"]) == ("interrupted", 130)
    assert ended["trials"] == {"interrupted": 1, "pending": 1}
    (stopped,) = (event for event in events if event["event"] == "interrupted")
    assert stopped["progress"]["step"] > 0
    assert "stopping" in [event["event"] for event in events]
    assert "past Python" in errors
    assert "a plugin prints" in errors
    assert "interrupted: 0 of 2 trials ended, 1 saved under way" in errors


def test_sigterm_before_the_first_trial_is_told_too(write_spec, tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-m", "mnistarena", "run", str(write_spec()), "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    begun = running.stdout.readline()
    running.send_signal(signal.SIGTERM)
    rest, _ = running.communicate(timeout=60)
    events = parsed(begun + rest)
    assert [event["event"] for event in events] == ["begun", "ended"]
    assert (events[-1]["outcome"], running.returncode) == ("interrupted", 130)


def test_looks_and_numbers_that_are_not_finite():
    stream = io.StringIO()
    observer = JsonObserver(stream)
    observer.looked("digits", {"seeds": 3, "decided": 1, "compared": 2, "further": ["a"]}, "after 3 seeds, …")
    observer.further([])
    observer.write("steps", **{**dict.fromkeys(TRIAL, ""), "seed": 0}, step=1, total=2, loss=float("nan"))
    look, further, steps = parsed(stream.getvalue())
    assert (look["further"], further["waiting"], steps["loss"]) == (["a"], [], None)


def test_the_type_of_an_event_has_the_keys_that_are_documented():
    everywhere = {"version", "event", "time", "split", "search"}
    assert mnistarena.RunEvent.__annotations__.keys() == everywhere.union(*documented().values())


def test_observers_tell_each_of_what_there_is_to_tell():
    from mnistarena.execution.observer import Observers

    own = {name for name in vars(mnistarena.Observer) if not name.startswith("_")}
    assert own == {name for name in vars(Observers) if not name.startswith("_")}
