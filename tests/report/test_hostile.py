"""A run folder from a stranger: it is shown safely, or refused with a sentence."""

from __future__ import annotations

import io
import json
import os
import shutil
import threading

import numpy as np
import pytest

import mnistarena
from mnistarena.errors import StoreError
from mnistarena.report.server import ReportServer
from mnistarena.report.view import build
from mnistarena.report.watch import Watched
from mnistarena.store import files
from mnistarena.store.files import to_json
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.trial_folder import TrialFolder

from .synthetic import FAILED, build_run

EVIL = "\x1b[2J\x1b]0;owned\x07</script><img src=x onerror=alert(1)>{{ 7*7 }}\u202egpj.exe"
LABEL = "../../<b>x</b>\x1b[31m"
MODEL = {"accuracy": 0.9, "spread": 0.01, "seconds": 3.0, "parameters": 10}


@pytest.fixture
def run(tmp_path):
    """A run whose every text is an attack."""
    failed = {**FAILED, "error": {"type": EVIL, "message": EVIL, "traceback": EVIL}}
    names = [EVIL + str(digit) for digit in range(10)]
    folder = build_run(
        tmp_path / "run",
        models={LABEL: MODEL, "plain": MODEL},
        n=200,
        class_names=names,
        failures={(LABEL, 1): failed},
        entries={LABEL: {"summary": EVIL, "notes": [EVIL], "distribution": EVIL, "params": {EVIL: EVIL}}},
        name=EVIL,
    )
    environment = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_bytes(to_json({**environment, EVIL: EVIL}))
    (folder / "spec.toml").write_text(f"# {EVIL}")
    return folder


def test_hostile_texts_are_shown_and_never_obeyed(arena, run):
    result = arena("report", run)
    assert result.status == 0, result.err
    for name in ("report.html", "report.md"):
        page = (run / name).read_text()
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "\\x1b" in page, "the escape is shown as text"
    page = (run / "report.html").read_text()
    assert "<img src=x" not in page
    assert "</script><img" not in page
    assert "{{ 7*7 }}" in page
    assert page.count("<script") == page.count("</script>")
    written = {path.relative_to(run).parts[0] for path in run.rglob("*")}
    assert written <= {"report.html", "report.md", "figures", "plan.json", "environment.json", "spec.toml",
                       "trials", "datasets"}  # fmt: skip
    assert {path.name for path in run.parent.iterdir()} == {"run"}, "nothing is written outside of the folder"
    for command in (("verify", run, "--sample", 0), ("clean", run)):
        shown = arena(*command)
        assert "\x1b" not in shown.out + shown.err


@pytest.mark.browser
def test_a_hostile_report_runs_nothing_in_a_browser(arena, run, browser):
    assert arena("report", run, "--html").status == 0
    page = browser.new_page()
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    with ReportServer(Watched(run)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for address in ((run / "report.html").as_uri(), server.url):
            page.goto(address)
            page.wait_for_timeout(300)
            assert dialogs == []
            assert page.locator("img[src=x]").count() == 0
        server.shutdown()


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


PLANS = {
    "no object": lambda plan: plan.clear(),
    "an id that is a path": lambda plan: plan["trials"][0].update(id="../../../etc/passwd"),
    "an id that is a pattern": lambda plan: plan["trials"][0].update(id="*" * 16),
    "a trial of no recipe": lambda plan: plan["trials"][0].update(label="nobody"),
    "a number as label": lambda plan: plan["entries"][0].update(label=7),
    "text as a count": lambda plan: plan["datasets"][0].update(n_test="many"),
    "an absurd number of classes": lambda plan: plan["datasets"][0].update(class_names=["x"] * 20_000),
    "other classes than the predictions": lambda plan: plan["datasets"][0].update(class_names=["a", "b"]),
    "steps that are text": lambda plan: plan["entries"][0]["training"].update(steps="<b>"),
    "an absurd seed": lambda plan: plan["trials"][0].update(seed=10**400),
    "a label of a megabyte": lambda plan: plan["entries"][0].update(label="x" * 1_000_000),
}


@pytest.mark.parametrize("what", PLANS)
def test_a_plan_that_is_none_is_refused(tmp_path, what):
    run = build_run(tmp_path / "run", models={"plain": MODEL}, n=100)
    edit(run / "plan.json", PLANS[what])
    with pytest.raises(StoreError) as refused:
        build(mnistarena.load_run(run))
    assert len(str(refused.value)) < 2000


RECORDS = {
    "metrics that are text": {"metrics": {"accuracy": "high"}},
    "a status of its own": {"status": "splendid"},
    "latencies that are a list": {"measurements": {"latency_ms": [1, 2]}},
    "an error that is a number": {"status": "failed", "error": 7},
    "no label": {"label": None},
}


@pytest.mark.parametrize("what", RECORDS)
def test_a_record_that_is_none_is_refused(tmp_path, what):
    run = build_run(tmp_path / "run", models={"plain": MODEL}, n=100, seeds=2)
    folder = TrialFolder(next(run.glob("trials/plain*s0*")))
    folder.write({**folder.read(), **RECORDS[what]})
    with pytest.raises(StoreError, match="is not a trial's record"):
        build(mnistarena.load_run(run))


def test_infinity_is_no_figure_and_is_left_out(arena, tmp_path):
    run = build_run(tmp_path / "run", models={"plain": MODEL}, n=100, seeds=2)
    folder = TrialFolder(next(run.glob("trials/plain*s0*")))
    folder.write({**folder.read(), "metrics": {"accuracy": float("inf"), "log_loss": float("nan")}})
    assert arena("report", run).status == 0


def test_a_history_that_is_none_is_refused(tmp_path):
    folder = TrialFolder(tmp_path)
    for line in ('{"epoch": "one", "step": 1}', "[]", "no json", "[" * 100_000):
        (tmp_path / "history.jsonl").write_text(line + "\n")
        with pytest.raises(StoreError, match="cannot read"):
            folder.history()


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_predictions_that_are_none_are_refused(tmp_path, monkeypatch):
    folder, path = TrialFolder(tmp_path), tmp_path / "predictions.npz"
    good = {"labels": np.zeros(3, int), "probabilities": np.full((3, 2), 0.5, np.float32), "index": np.arange(3)}
    path.write_bytes(npz(**good))
    assert folder.predictions().probabilities.shape == (3, 2)
    for name, array in (
        ("labels", np.array([{}, {}, {}], dtype=object)),  # would have to be unpickled
        ("labels", np.zeros(4, int)),
        ("labels", np.full(3, 9)),
        ("probabilities", np.full((3, 2), np.nan, np.float32)),
        ("probabilities", np.full((3, 2), -1, np.float32)),
        ("probabilities", np.array(["a"])),
        ("index", np.zeros((3, 3))),
    ):
        path.write_bytes(npz(**{**good, name: array}))
        with pytest.raises(StoreError, match=r"predictions\.npz"):
            folder.predictions()
    # A few kilobytes that would unpack to megabytes, where that is more than is allowed.
    monkeypatch.setattr(files, "ARRAY_BYTES", 1 << 20)
    path.write_bytes(npz(**{**good, "labels": np.zeros(1 << 18, int)}))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(StoreError, match="it would unpack to more than 1 MiB"):
        folder.predictions()


def test_links_pipes_and_devices_are_not_followed(arena, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("precious")
    run = build_run(tmp_path / "run", models={"plain": MODEL}, n=100, seeds=1)
    trial = next(run.glob("trials/plain*"))
    for name in ("trial.json", "predictions.npz", "history.jsonl"):
        kept = (trial / name).read_bytes()
        (trial / name).unlink()
        for make in (
            lambda path: path.symlink_to(secret),
            lambda path: path.symlink_to("/dev/zero"),
            os.mkfifo,
        ):
            make(trial / name)
            with pytest.raises(StoreError, match=r"symbolic link|not a plain file") as refused:
                build(mnistarena.load_run(run))
            assert "precious" not in str(refused.value)
            (trial / name).unlink()
        (trial / name).write_bytes(kept)
    assert arena("report", run, "--markdown").status == 0
    # A report is not written through a link, and a lock does not empty what it points at.
    shutil.rmtree(run / "figures")
    (tmp_path / "elsewhere").mkdir()
    (run / "figures").symlink_to(tmp_path / "elsewhere")
    assert arena("report", run).status == 2
    (run / "figures").unlink()
    (run / ".lock").symlink_to(secret)
    locked = arena("clean", run)
    assert locked.status == 2
    assert "symbolic link" in locked.err
    assert secret.read_text() == "precious"
    assert not list((tmp_path / "elsewhere").iterdir())
    (run / "report.html").symlink_to(secret)
    assert arena("report", run).status == 0
    assert secret.read_text() == "precious"


def test_unlike_labels_never_share_a_file(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create()
    for value, label in enumerate(("a/b", "a-b", "a b", "../a-b")):
        arrays = {"images": np.full((2, 1, 2, 2), value, np.uint8), "labels": np.zeros(2, int), "index": np.arange(2)}
        folder.write_dataset(label, arrays)
    assert [int(folder.dataset(label)["images"].max()) for label in ("a/b", "a-b", "a b", "../a-b")] == [0, 1, 2, 3]
    assert len(list((tmp_path / "datasets").iterdir())) == 4


def test_control_characters_in_python_results_are_visible_too(run):
    loaded = mnistarena.load_run(run)
    assert "\x1b" not in loaded.name + loaded.spec + json.dumps(loaded.plan, ensure_ascii=False)
    assert any(t.error and "\\x1b[2J" in t.error["message"] for t in loaded.trials)
