"""The published methods of examples/plugins: all of specs/zoo.toml in small, then killed and continued."""

from __future__ import annotations

import importlib.util
import json
import re
import signal

import pytest

from mnistarena.testing import checks

from ..helpers import ROOT, bits, by_label, wait_for

FOLDER = ROOT / "examples" / "plugins"
ZOO = ROOT / "specs" / "zoo.toml"

LEAST = {"pca-svc": 0.7, "boosted-trees": 0.5, "random-features": 0.6, "simclr": 0.5, "distilled": 0.3, "spiking": 0.5}
"""Accuracies that a few hundred images and a few steps are enough for; chance is 0.1."""

CLASSIFIERS = {"pca-svc", "boosted-trees"}
"""They are fitted in one piece, and start again."""

HOLD = '''
import os
import signal
import time
from pathlib import Path

from pydantic import Field

from mnistarena import Params, TransformDef, hookimpl


class HoldParams(Params):
    folder: str = Field("", description="where the file go is waited for")


def build(params, task):
    batches = 0

    def apply(images, generator):
        nonlocal batches
        batches += 1
        if batches == 3:
            wait(Path(params.folder))
        return images.clone()

    return apply


def wait(folder):
    """Until the file is there, or the trial was asked to stop."""
    asked, handler = [], signal.getsignal(signal.SIGTERM)

    def stop(number, frame):
        asked.append(number)
        handler(number, frame)

    signal.signal(signal.SIGTERM, stop)
    (folder / f"held-{os.getpid()}").touch()
    while not asked and not (folder / "go").exists():
        time.sleep(0.02)
    signal.signal(signal.SIGTERM, handler)


@hookimpl
def arena_transforms():
    return [TransformDef("hold", "waits at the third batch", params=HoldParams, build=build, random=True)]
'''


def labels() -> list[str]:
    return re.findall(r'^\[\[model\]\].*\nname = "(.*)"', ZOO.read_text(), re.M)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_and_in_the_table(path):
    lines = path.read_text().count("\n")
    assert lines < 120
    assert re.search(rf"^\| \[`{path.name}`\].* {lines} \|$", (FOLDER / "README.md").read_text(), re.M)


@pytest.mark.parametrize("name", ["distilled", "forward_forward", "simclr"])
def test_an_example_that_trains_itself_declares_what_it_reads(name):
    found = checks(name.replace("_", "-"), plugins=[FOLDER / f"{name}.py"])
    (outcome,) = [check.outcome() for check in found if check.name == "uses"]
    assert outcome.status == "passed", outcome.message


@pytest.fixture
def arguments(tmp_path):
    """The zoo in small. Each network waits at its third batch, unless the file `go` is there."""
    (tmp_path / "hold.py").write_text(HOLD)
    settings = {
        "benchmark.seeds": "[0]",
        "dataset.mnist.train_limit": "300",
        "dataset.mnist.validation": "60",
        "dataset.mnist.test_limit": "200",
        "dataset.mnist.transforms": json.dumps(["normalize"]),
        "training.batch_size": "32",
        "training.epochs": "2",
        "model.capsules.training.epochs": "2",
        "model.forward-forward.training.epochs": "2",
        "model.simclr.training": "{ epochs = 2, batch_size = 64 }",
        "model.distilled.params": "{ teacher_epochs = 1 }",
        "model.boosted-trees.params": "{ rounds = 20 }",
        "model.huggingface-vit.params": "{ patch = 7, layers = 2 }",
    }
    for label in set(labels()) - CLASSIFIERS:
        hold = f'"normalize", {{ name = "hold", folder = "{tmp_path}" }}'
        settings[f"model.{label}.transforms"] = f'[{hold}, "random-affine"]' if label == "simclr" else f"[{hold}]"
    given = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return ["run", ZOO, "--plugin", tmp_path / "hold.py", "--threads", 1, *given]


def test_all_are_trained_on_one_leaderboard_and_go_on_after_a_kill_with_the_same_bits(
    arena, start, arguments, tmp_path
):
    (tmp_path / "go").touch()
    done = arena(*arguments, "--jobs", 2, "--out", "whole")
    assert done.status == 0, done.out + done.err
    found = by_label(tmp_path / "whole")
    assert set(found) == set(labels())
    for label, record in found.items():
        assert record["status"] == "done", record
        assert not any("say so by uses=" in note for note in record["notes"])
        assert label in done.out.partition("95 % interval")[2]
        assert record["metrics"]["accuracy"] >= LEAST.get(label, 0), record["metrics"]
    assert {label for label, record in found.items() if record["metrics"].get("log_loss") is None} == {
        "pca-svc",
        "forward-forward",
        "capsules",
    }

    for path in (tmp_path / "go", *tmp_path.glob("held-*")):
        path.unlink()
    networks = set(found) - CLASSIFIERS
    only = [part for label in sorted(networks) for part in ("--only", label)]
    running = start(*arguments, *only, "--jobs", len(networks), "--out", "killed")
    wait_for(lambda: running.poll() is not None or len(list(tmp_path.glob("held-*"))) == len(networks))
    assert running.poll() is None, running.communicate()[0]
    running.send_signal(signal.SIGTERM)
    said = running.communicate(timeout=120)[0]
    assert {record["status"] for record in by_label(tmp_path / "killed").values()} == {"interrupted"}, said
    (tmp_path / "go").touch()
    again = arena(*arguments, *only, "--jobs", 2, "--out", "killed")
    assert again.status == 0, again.out + again.err
    assert f"{len(networks)} trials continue from a checkpoint" in again.out
    for label, record in by_label(tmp_path / "killed").items():
        assert 0 < record["measurements"]["resumed_at_step"] < record["measurements"]["steps"], label
    whole = bits(tmp_path / "whole")
    assert bits(tmp_path / "killed") == {name: whole[name] for name in bits(tmp_path / "killed")}


@pytest.mark.parametrize(
    ("label", "package"), [("boosted-trees", "xgboost"), ("huggingface-vit", "transformers")], ids=str
)
def test_a_package_that_is_missing_is_named_before_anything_runs(arena, monkeypatch, label, package):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == package else found(name, *more)
    )
    result = arena("validate", ZOO, "--only", label)
    assert result.status == 2
    assert f'{package} is not installed; call pip install "mnistarena[examples]"' in " ".join(result.err.split())
