"""A dataset that is one split, named images, and a validation split that the data name: from a spec to every output."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import mnistarena

PLUGIN = '''
import numpy as np
from mnistarena import Dataset, DatasetDef, Params, hookimpl

class NoParams(Params):
    """No parameters."""

def load(params, context):
    random = np.random.RandomState(0)
    labels = np.arange(120, dtype=np.int64) % 2
    images = random.randint(0, 120, (120, 1, 6, 6), dtype=np.uint8)
    images[labels == 1, :, 2:4] += np.uint8(60)
    return Dataset(
        images, labels, test_images=images[:0], test_labels=labels[:0], class_names=("plain", "striped"),
        train_groups=np.arange(120, dtype=np.int64) // 3, train_names=[f"folder/{row}.png" for row in range(120)],
        validation_rows=np.arange(15, dtype=np.int64),
    )

@hookimpl
def arena_datasets():
    return [DatasetDef("whole", "one split", params=NoParams, load=load)]
'''
SPEC = """
plugins = ["whole.py"]
[benchmark]
name = "One split"
seeds = [0, 1]
[[dataset]]
name = "whole"
test = 0.25
split_seed = 3
[[dataset]]
name = "whole"
label = "again"
folds = 2
[[model]]
name = "cnn"
params = { channels = [4] }
[training]
steps = 12
select = "best"
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "whole.py").write_text(PLUGIN)
    (tmp_path / "spec.toml").write_text(SPEC.replace('select = "best"', ""))
    return tmp_path / "spec.toml"


def test_a_share_is_tested_and_what_is_stored_says_so(arena, spec, tmp_path):
    assert arena("run", "spec.toml", "--out", "run").status == 0
    plan = json.loads((tmp_path / "run/plan.json").read_text())
    one, folded = plan["datasets"]
    assert (one["test"], one["n_train"], one["n_validation"], one["n_test"]) == (0.25, 78, 15, 27)
    assert (folded["n_images"], folded["n_validation"]) == (120, 0)
    stored = np.load(tmp_path / "run/datasets/whole.npz")
    groups = stored["groups"]
    rows = [int(name.removeprefix("folder/").removesuffix(".png")) for name in stored["names"]]
    assert sorted(rows) == sorted(3 * g + i for g in np.unique(groups) for i in range(3)), (
        "whole groups, by their names"
    )
    arena("export", "run", "--what", "predictions", "--output", "predictions.csv")
    table = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    named = {row["name"] for row in table if row["dataset"] == "whole"}
    assert named == set(stored["names"].tolist())
    assert arena("report", "run", "--html").status == 0
    text = (tmp_path / "run/report.html").read_text()
    assert "25 % of the images were drawn as one, by the split seed 3" in text
    trial = next(iter(mnistarena.load_run("run").trials))
    assert len(trial.predictions().labels) == 27
    assert arena("verify", "run", "--plugin", "whole.py", "--sample", "1").status == 0


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("test = 0.25\n", "", "it has no test images; with test = 0.2"),
        ("test = 0.25\n", "test = 0.25\nvalidation = 7\n", '15 validation images of its own; leave "validation" out'),
        ("test = 0.25\n", "test = 0.25\nfolds = 3\n", 'leave "test" out'),
        ("test = 0.25\n", "splits = 3\n", 'give "test_share" beside "splits"'),
        ('name = "whole"\ntest = 0.25\n', 'name = "digits"\ntest = 0.25\n', "it has a test split of 360 images"),
        ("folds = 2\n", 'folds = 2\n[[dataset]]\nname = "digits"\n[training.own]\n', "own"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_remedy(arena, spec, old, new, sentence):
    text = spec.read_text()
    assert old in text
    spec.write_text(text.replace(old, new, 1))
    done = arena("validate", "spec.toml")
    assert done.status == 2
    assert sentence in done.err


def test_the_validation_split_of_the_data_may_select_an_epoch(arena, spec):
    spec.write_text(SPEC.replace('[[dataset]]\nname = "whole"\nlabel = "again"\nfolds = 2\n', ""))
    assert arena("validate", "spec.toml").status == 0
    spec.write_text(SPEC)
    assert 'needs validation images; set "validation" in the dataset "again"' in arena("validate", "spec.toml").err
