"""A plugin that is a single Python file: named by a spec or a command, part of what a trial is, kept with its run."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import mnistarena
from mnistarena import PluginError, SpecError

from ..helpers import records

MINE = """
from mnistarena import ModelDef, Params, hookimpl

def build(params, task):
    from torch import nn
    channels, height, width = task.image_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, task.n_classes))

@hookimpl
def arena_models():
    return [ModelDef("mine", "one layer", params=Params, build=build)]
"""

NAMED = 'plugins = ["mine.py"]\n'

SPEC = """
[benchmark]
name = "a plugin of one file"
metrics = ["accuracy"]
[[dataset]]
name = "digits"
train_limit = 200
test_limit = 100
[training]
epochs = 1
[[model]]
name = "mine"
"""


@pytest.fixture
def folder(tmp_path):
    """The plugin, a spec that names it and one that does not."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "spec.toml").write_text(NAMED + SPEC)
    (tmp_path / "plain.toml").write_text(SPEC)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that used the plugin; to be read, not changed."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "mine.py").write_text(MINE)
    (folder / "spec.toml").write_text(NAMED + SPEC)
    mnistarena.run(folder / "spec.toml", out=folder / "run")
    return folder


def test_a_spec_that_names_it_runs_to_a_leaderboard_and_keeps_a_copy(arena, folder):
    done = arena("run", "spec.toml", "--out", "run")
    assert done.status == 0, done.out + done.err
    assert "mine on digits, seed 0" in done.out
    assert "accuracy" in done.out
    (copy,) = (folder / "run" / "plugins").iterdir()
    assert copy.read_text() == MINE
    plan = json.loads((folder / "run" / "plan.json").read_text())
    (kept,) = plan["plugins"]
    assert kept["name"] == "mine"
    assert copy.name == f"mine-{kept['digest'][:12]}.py"


def test_every_command_that_meets_components_takes_it_by_its_option(arena, folder):
    option = ("--plugin", "mine.py")
    assert arena("validate", "plain.toml").status == 2
    for command in (
        ("validate", "plain.toml"),
        ("plan", "plain.toml", "--no-estimate"),
        ("show", "model", "mine"),
        ("check", "mine"),
        ("run", "plain.toml", "--out", "run"),
    ):
        done = arena(*command, *option)
        assert done.status == 0, (command, done.out + done.err)
    (shown,) = [one for one in json.loads(arena("list", "models", *option, "--json").out) if one["name"] == "mine"]
    assert shown["distribution"].startswith("mine.py ")
    listed = json.loads(arena("list", "plugins", *option, "--json").out)
    assert listed[-1] == {"name": "mine", "distribution": shown["distribution"], "status": "loaded", "cause": ""}


def test_its_content_is_part_of_what_a_trial_is_and_its_place_is_not(arena, folder):
    assert arena("run", "spec.toml", "--out", "run").status == 0
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("mine.py", "spec.toml"):
        shutil.move(folder / name, elsewhere / name)
    assert "1 finished before" in arena("run", "elsewhere/spec.toml", "--out", "run").out
    (elsewhere / "mine.py").write_text(MINE + "\n# edited\n")
    edited = arena("run", "elsewhere/spec.toml", "--out", "run")
    assert edited.status == 0, edited.out + edited.err
    assert "finished before" not in edited.out
    first, second = (set(record["identity"]["sources"].items()) for record in records(folder / "run"))
    assert {name for name, _ in first ^ second} == {"mine.py:mine"}
    assert len(list((folder / "run" / "plugins").iterdir())) == 2


def test_a_file_that_is_edited_while_a_run_goes_on_changes_nothing_of_it(folder):
    class Edits(mnistarena.Observer):
        def planned(self, plan, waiting, *, folder, conditions):
            (folder.parent / "mine.py").write_text("raise RuntimeError('edited meanwhile')")

    run = mnistarena.run(folder / "spec.toml", out=folder / "run", observer=Edits())
    assert run.complete, run.trials[0].error


@pytest.mark.parametrize(
    ("files", "entries", "sentence"),
    [
        ({}, '["gone.py"]', 'gone.py" does not exist'),
        ({"bad.py": "1 / 0"}, '["bad.py"]', "bad.py is broken: ZeroDivisionError: division by zero"),
        ({"torn.py": "def"}, '["torn.py"]', "torn.py is broken: SyntaxError"),
        ({"none.py": "x = 1"}, '["none.py"]', "implements no hook"),
        ({"mine.txt": MINE}, '["mine.txt"]', "must be a Python file, such as mine.py"),
        ({"my-model.py": MINE}, '["my-model.py"]', "letters, digits, underscores"),
        (
            {"a/mine.py": MINE, "b/mine.py": MINE + "x = 1"},
            '["a/mine.py", "b/mine.py"]',
            "two plugins are called mine.py",
        ),
        ({}, '"mine.py"', '"plugins" must be a list of Python files'),
        ({}, "[1]", '"plugins" must be a list of Python files'),
        ({}, '["x\\u0000/mine.py"]', "cannot be read"),
    ],
)
def test_one_that_cannot_be_used_is_an_error_with_file_and_line(arena, tmp_path, files, entries, sentence):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "spec.toml").write_text(f"# a comment\nplugins = {entries}\n{SPEC}")
    for command in ("validate", "run"):
        refused = arena(command, "spec.toml")
        assert refused.status == 2
        assert "spec.toml:2: plugins" in refused.err
        assert sentence in refused.err
    assert not (tmp_path / "runs").exists()


def test_one_that_cannot_be_used_is_an_error_of_the_option_too(arena, folder):
    (folder / "bad.py").write_text("1 / 0")
    (folder / "other").mkdir()
    (folder / "other" / "mine.py").write_text(MINE + "x = 1")
    for file, sentence in (
        ("gone.py", 'the plugin "gone.py" does not exist'),
        ("bad.py", "bad.py is broken: ZeroDivisionError"),
        ("spec.toml", "must be a Python file, such as mine.py"),
        ("other/mine.py", "two plugins are called mine.py"),
    ):
        refused = arena("run", "spec.toml", "--plugin", file)
        assert refused.status == 2, file
        assert sentence in refused.err
    assert not (folder / "runs").exists()


def test_the_same_file_named_twice_is_one_plugin(arena, folder):
    done = arena("validate", "spec.toml", "--plugin", folder / "mine.py")
    assert done.status == 0, done.err


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("predict", ("mine", "x.png")), ("verify", ()), ("export-model", ("mine", "-o", "m.onnx"))],
)
def test_what_loads_a_model_again_runs_no_code_of_a_run_folder_unasked(arena, trained, tmp_path, command, arguments):
    image = mnistarena.load_run(trained / "run").test_split("digits")["images"][0, 0]
    Image.fromarray(image).save(tmp_path / "x.png")
    refused = arena(command, trained / "run", *arguments)
    assert refused.status == 2
    assert "used the plugin mine.py; name it with --plugin mine.py (a copy of it is in" in refused.err
    assert "look at it first if the run is not your own" in refused.err
    done = arena(command, trained / "run", *arguments, "--plugin", trained / "mine.py")
    assert done.status == 0, done.out + done.err


def test_a_trained_model_is_restored_with_it(trained):
    (trial,) = mnistarena.load_run(trained / "run").trials
    images = mnistarena.load_run(trained / "run").test_split("digits")["images"]
    restored = trial.restore(plugins=[trained / "mine.py"])
    np.testing.assert_allclose(restored.probabilities(images), trial.predictions().probabilities, rtol=0, atol=1e-6)


def test_python_takes_paths_and_says_how_to_write_a_file_of_a_function(folder):
    def arena_models():
        return []

    with pytest.raises(PluginError, match="%%writefile mine.py") as caught:
        mnistarena.run(folder / "plain.toml", plugins=[arena_models], out=folder / "run")
    assert "a plugin is a Python file, not <function" in str(caught.value)
    with pytest.raises(SpecError, match="unknown model"):
        mnistarena.run(folder / "plain.toml", out=folder / "run")
    assert mnistarena.run(folder / "plain.toml", plugins=[folder / "mine.py"], out=folder / "run").complete


@pytest.mark.parametrize(
    "statement", ["from net import make\n\ndef build", "def build(params, task):\n    import net\n\ndef _"]
)
def test_one_that_imports_a_file_beside_it_is_refused_for_no_identity_would_know_of_that(
    folder, monkeypatch, statement
):
    (folder / "net.py").write_text("make = None")
    (folder / "mine.py").write_text(MINE.replace("def build", statement, 1))
    monkeypatch.syspath_prepend(folder)  # as a script or a notebook in that folder has it
    with pytest.raises(SpecError, match=r"mine\.py imports net, a file beside it"):
        mnistarena.run(folder / "spec.toml", out=folder / "run")


BESIDE = """
from pathlib import Path
import numpy as np
from mnistarena import Dataset, DatasetDef, Params, hookimpl

def load(params, context):
    images = np.load(Path(__file__).with_name("images.npy"))
    labels = np.arange(len(images)) % 2
    return Dataset(images, labels, test_images=images, test_labels=labels, class_names=("a", "b"))

@hookimpl
def arena_datasets():
    return [DatasetDef("beside", "reads a file beside it", params=Params, load=load)]
"""


def test_the_same_text_in_two_folders_is_two_modules_each_with_its_own_place(tmp_path):
    spec = 'plugins = ["data.py"]\n[benchmark]\nname = "x"\n[[dataset]]\nname = "beside"\n[[model]]\nname = "knn"\n'
    fingerprints = set()
    for name, value in (("one", 1), ("two", 200)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.py").write_text(BESIDE)
        (tmp_path / name / "spec.toml").write_text(spec)
        np.save(tmp_path / name / "images.npy", np.full((20, 1, 4, 4), value, np.uint8))
        run = mnistarena.run(tmp_path / name / "spec.toml", out=tmp_path / name / "run")
        fingerprints.add(run.plan["datasets"][0]["fingerprint"])
    assert len(fingerprints) == 2


def test_it_is_compiled_as_python_would_import_it(folder):
    text = "def annotated(x: int): ...\nassert annotated.__annotations__ == {'x': int}\n"
    (folder / "mine.py").write_text(MINE + text)
    assert mnistarena.run(folder / "spec.toml", out=folder / "run").complete


def test_the_copy_that_a_run_keeps_can_be_given_as_the_plugin(arena, trained, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "run")
    (kept,) = (tmp_path / "run" / "plugins").glob("*.py")
    done = arena("verify", "run", "--plugin", kept)
    assert done.status == 0, done.out + done.err
    kept.write_text(MINE + "# edited")
    assert "has changed since a run kept it" in arena("verify", "run", "--plugin", kept).err


def test_a_name_that_is_taken_is_to_be_changed_in_the_file(arena, folder):
    (folder / "mine.py").write_text(MINE.replace('"mine"', '"cnn"'))
    done = arena("validate", "spec.toml", "--set", "model.mine.name='cnn'")
    assert done.status == 2
    assert "give it another name in mine.py" in done.err


def test_a_package_that_is_edited_during_a_run_trains_nothing_under_its_old_identity(
    distribution, monkeypatch, tmp_path
):
    site = distribution("arena-edited", MINE)
    monkeypatch.syspath_prepend(site)
    (file,) = site.rglob("arena_edited*.py")

    class Edits(mnistarena.Observer):
        def ended(self, trial, record):
            file.write_text(MINE.replace("nn.Flatten(),", "nn.Flatten(), nn.Linear(64, 64),"))

    (tmp_path / "plain.toml").write_text(SPEC)
    run = mnistarena.run(
        tmp_path / "plain.toml",
        out=tmp_path / "run",
        overrides=["benchmark.seeds=[0, 1]"],
        options=mnistarena.Options(jobs=1),
        observer=Edits(),
    )
    assert [trial.status for trial in run.trials] == ["done", "failed"]
    assert "has changed since this run was planned" in run.trials[1].error["message"]


METRIC = """
from mnistarena import MetricDef, Params, hookimpl

@hookimpl
def arena_metrics():
    return [MetricDef("constant", "a constant", params=Params, compute=lambda p, q: 0.25, higher_is_better=True)]
"""


def test_a_metric_that_is_edited_during_a_run_fails_in_scoring_and_is_computed_when_the_run_goes_on(
    distribution, monkeypatch, tmp_path
):
    site = distribution("arena-constant", METRIC)
    monkeypatch.syspath_prepend(site)
    (file,) = site.rglob("arena_constant*.py")

    class Edits(mnistarena.Observer):
        def ended(self, trial, record):
            file.write_text(METRIC.replace("0.25", "0.75"))

    text = SPEC.replace('metrics = ["accuracy"]', 'metrics = ["accuracy", "constant"]\nseeds = [0, 1]')
    (tmp_path / "spec.toml").write_text(text.replace('name = "mine"', 'name = "cnn"'))
    run = mnistarena.run(
        tmp_path / "spec.toml", out=tmp_path / "run", options=mnistarena.Options(jobs=1), observer=Edits()
    )
    assert [trial.status for trial in run.trials] == ["done", "failed"]
    failed = run.trials[1].error
    assert failed["stage"] == "scoring"
    assert 'the code of the metric "constant" has changed since this run was planned' in failed["message"]
