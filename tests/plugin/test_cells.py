"""A plugin that is the cell of a notebook, and the display of its run there: in a real kernel, and what is refused."""

from __future__ import annotations

import json
import linecache
import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import mnistarena
from mnistarena import PluginError

from ..helpers import ROOT

MINE = """
import mnistarena
from mnistarena import ModelDef, Params

def build(params, task):
    from time import sleep
    from torch import nn
    sleep(0.6)  # longer than the display waits between two drawings
    channels, height, width = task.image_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, task.n_classes))

mine = mnistarena.register(ModelDef("my-model", "one layer", params=Params, build=build))
"""

RUN = """
spec = {
    "benchmark": {"name": "cells", "seeds": [0, 1], "metrics": ["accuracy"]},
    "dataset": [{"name": "digits", "train_limit": 200, "test_limit": 100}],
    "training": {"epochs": 2},
    "model": [{"name": "my-model", "label": "<mine>"}],
}
run = mnistarena.run(spec, out="run", plugins=[mine], options=mnistarena.Options(jobs=1))
print(run.complete, *run.leaderboard()["label"])
"""

NN = MINE.replace("    from torch import nn\n", "")
"""The cell, where another one imports nn."""


class Client(NotebookClient):
    """A client that keeps what the kernel displays."""

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] in ("display_data", "update_display_data"):
            self.displayed.append((msg["msg_type"], cell_index, msg["content"]["data"]))
        return super().process_message(msg, cell, cell_index)


def refused(cell):
    """The cell, which prints why it is refused."""
    lines = "\n".join(f"    {line}" for line in cell.strip().splitlines())
    return f"from mnistarena import PluginError\ntry:\n{lines}\nexcept PluginError as problem:\n    print(problem)"


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """What each cell of a notebook prints, what it displays, and the notebook's folder."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "net.py").write_text("nn = None")
    cells = {
        "mine": MINE,
        "run": RUN,
        "path": "print(mine)",
        "again": MINE,
        "same": "print(mine)",
        "edited": MINE.replace("one layer", "one edited layer"),
        "other": "print(mine)",
        "defines nn": "from torch import nn",
        "other cell": refused(NN),
        "magic": refused("%cd .\n" + MINE),
        "shell": refused(MINE + "!true"),
        "neighbour": refused("from net import nn\n" + NN),
    }
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells.values()])
    client = Client(made, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.displayed = []
    client.execute()
    printed = {
        name: "".join(output.get("text", "") for output in cell.outputs)
        for name, cell in zip(cells, made.cells, strict=True)
    }
    return printed, client.displayed, made.cells[list(cells).index("run")], folder


def test_a_cell_is_a_plugin_that_workers_train_and_that_the_run_keeps(notebook):
    printed, _, _, folder = notebook
    assert printed["run"] == "True <mine>\n"
    (kept,) = (folder / "run" / "plugins").iterdir()
    assert kept.read_text().strip() == MINE.strip()
    trial = mnistarena.load_run(folder / "run").trials[0]
    images = mnistarena.load_run(folder / "run").test_split("digits")["images"]
    restored = trial.restore(plugins=[kept])
    np.testing.assert_allclose(restored.probabilities(images), trial.predictions().probabilities, rtol=0, atol=1e-6)


def test_the_same_text_is_the_same_plugin(notebook):
    printed, _, _, _ = notebook
    assert Path(printed["path"].strip()).name == "my_model.py"
    assert printed["path"] == printed["same"] != printed["other"]


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("other cell", "the cell uses `nn`, which it neither imports nor defines"),
        ("magic", "the cell uses IPython (a line that begins with % or !"),
        ("shell", "the cell uses IPython (a line that begins with % or !"),
        ("neighbour", "the cell imports net, a file beside it"),
    ],
)
def test_a_cell_that_needs_more_than_itself_is_refused(notebook, cell, sentence):
    assert sentence in notebook[0][cell]


def test_a_run_shows_in_one_place_how_far_it_is_and_nothing_at_its_end(notebook):
    _, displayed, run, _ = notebook
    first, *updates = [
        (kind, data) for kind, _, data in displayed if "trials finished" in data["text/plain"] or not data["text/plain"]
    ]
    assert first[0] == "display_data"
    assert {kind for kind, _ in updates} == {"update_display_data"}
    shown = "\n".join(data["text/plain"] for _, data in (first, *updates))
    assert re.search(r"^0 of 2 trials finished · \d+:\d\d$", shown, re.M)
    assert re.search("^<mine>, seed 1: [a-z]+", shown, re.M)
    assert re.search("^1 of 2 trials finished", shown, re.M)
    pages = "".join(data["text/html"] for _, data in (first, *updates))
    assert "&lt;mine&gt;, seed 0" in pages
    assert "<mine>" not in pages
    assert updates[-1][1] == {"text/html": "", "text/plain": ""}
    (left,) = [output for output in run.outputs if output.output_type == "display_data"]
    assert left.data == {"text/html": "", "text/plain": ""}


# ---- Without a kernel


def called(text, file="a-cell", names=None):
    """Execute a text as Jupyter does a cell."""
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names = {"__name__": "__main__"} if names is None else names
    try:
        exec(compile(text, file, "exec"), names)
    finally:
        del linecache.cache[file]
    return names


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            MINE.replace('ModelDef("my-model", "one layer", ', "dict("),
            "takes components such as a ModelDef or a DatasetDef, not ",
        ),
        ("import mnistarena\nmnistarena.register()", "was given no component"),
        (MINE + "\ndef later():\n    return mnistarena.run({})", "the cell calls mnistarena.run, and processes"),
        (MINE + "\nfrom mnistarena import judge as j\ndef later():\n    j()", "the cell calls j, and processes"),
        (MINE.replace("mine = ", "def now():\n  ") + "now()", "was called within now; call it at the top level"),
    ],
)
def test_a_cell_that_would_not_do_the_same_elsewhere_is_refused(text, sentence):
    with pytest.raises(PluginError) as caught:
        called(text)
    assert sentence in str(caught.value)


def test_the_file_of_a_cell_goes_with_its_process():
    code = "from tests.plugin.test_cells import *\nprint(called(MINE)['mine'].is_file(), called(MINE)['mine'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    there, _, path = done.stdout.strip().partition(" ")
    assert there == "True", done.stderr
    assert not Path(path).exists()


def test_names_of_all_cells_are_told_apart_from_those_of_the_cell_alone():
    before = {"__name__": "__main__", "width": 3, "depth": 2, "pi": 3}
    text = MINE + "lengths = [one + width for one in range(depth)]\nf = lambda n: len(n) + pi\n"
    with pytest.raises(
        PluginError, match="the cell uses `depth`, `pi` and `width`, which it .* define them in this cell"
    ):
        called(text, names=before)
    assert called("from math import *\nwidth, depth = 1, 2\n" + text)["mine"].read_text().endswith("pi\n")


def test_a_script_and_a_prompt_are_refused(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(MINE)
    with pytest.raises(
        PluginError, match=r"script\.py, which is not being loaded as a plugin.*plugins=\[\"mine.py\"\]"
    ):
        runpy.run_path(str(script), run_name="__main__")
    with pytest.raises(PluginError, match="finds no source here"):
        exec(compile(MINE, "<stdin>", "exec"), {"__name__": "__main__"})


def test_a_plugin_file_may_register_what_its_hooks_would_return(arena, tmp_path):
    second = "mnistarena.register(ModelDef('second', 'another', params=Params, build=build))\n"
    (tmp_path / "mine.py").write_text(MINE.replace("sleep(0.6)", "sleep(0)") + second)
    listed = json.loads(arena("list", "models", "--plugin", "mine.py", "--json").out)
    names = [one["name"] for one in listed if one["distribution"].startswith("mine.py ")]
    assert sorted(names) == ["my-model", "second"]
    checked = arena("check", "my-model", "--plugin", "mine.py")
    assert checked.status == 0, checked.out + checked.err


def test_one_that_both_registers_and_returns_a_kind_is_refused(arena, tmp_path):
    (tmp_path / "mine.py").write_text(MINE + "@mnistarena.hookimpl\ndef arena_models():\n    return []\n")
    refused = arena("check", "my-model", "--plugin", "mine.py")
    assert refused.status == 2
    assert 'gives model "my-model" to mnistarena.register, and implements arena_models()' in refused.err
