"""Runs whose trials split their dataset differently: folds, splits, and training images drawn by the seed."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from mnistarena import StoreError, load_run
from mnistarena.evidence.recipe import gather
from mnistarena.pretrained.past_runs import saw
from mnistarena.stats import splits
from mnistarena.stats.crossed import Crossed

from ..conftest import within
from ..helpers import bits, records, wait_for

SPEC = """
[benchmark]
name = "Which images train, which test"
seeds = [0, 1]
metrics = ["accuracy"]

[[dataset]]
name = "digits"
label = "folded"
folds = 3
validation = 50
train_limit = 150
transforms = ["normalize"]

[[dataset]]
name = "digits"
label = "sampled"
split_seed = "seed"
train_limit = 100
test_limit = 60

[[model]]
name = "knn"

[[model]]
name = "random-forest"
params = { n_estimators = 3 }

[[evaluation]]
name = "dark"
transforms = [{ name = "contrast", factor = 0.5 }]
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of the spec, from its beginning to its end."""
    folder = tmp_path_factory.mktemp("splits")
    (folder / "spec.toml").write_text(SPEC)
    done = within(folder, "run", "spec.toml", "--out", "run")
    assert done.status == 0, done.out + done.err
    return folder / "run"


def test_each_trial_has_its_own_split(finished):
    run = load_run(finished)
    names = [trial.name for trial in run.trials]
    assert "knn on folded, seed 0, split 2" in names
    assert [name for name in names if name.startswith("knn on folded, seed 1")] == []
    assert len([name for name in names if "sampled" in name]) == 4  # knn depends on the seed by its training images
    folded = [trial for trial in run.trials if trial.dataset == "folded" and trial.label == "random-forest"]
    assert [(trial.seed, trial.split) for trial in folded] == [(s, n) for s in (0, 1) for n in range(3)]
    for seed in (0, 1):
        rows = np.concatenate([trial.predictions().index for trial in folded if trial.seed == seed])
        assert sorted(rows) == list(range(1797))
    assert {row["split"] for row in run.rows() if row["dataset"] == "folded"} == {0, 1, 2}
    assert all("split" not in row for row in run.rows() if row["dataset"] == "sampled")
    found = {record["id"]: record for record in records(finished)}
    seeds = {found[trial.id]["identity"]["seed"] for trial in folded}
    assert len(seeds) == 6, "a seed gives other random numbers in each split"
    sampled = [found[t.id]["identity"]["dataset"] for t in run.trials if t.dataset == "sampled" and t.label == "knn"]
    assert [one["split_seed"] for one in sampled] == [0, 1]
    tested = [trial.predictions().index for trial in run.trials if trial.dataset == "sampled"]
    assert all(np.array_equal(tested[0], other) for other in tested)
    split = run.test_split("folded")
    np.testing.assert_array_equal(split["index"], np.arange(1797))
    one = folded[1].predictions()
    np.testing.assert_array_equal(split["labels"][one.index], one.labels)


def test_killed_and_continued_it_ends_with_the_same_bits(arena, forked, finished, tmp_path):
    command = ("run", finished.parent / "spec.toml", "--out", "run")
    process = forked(*command)
    wait_for(lambda: len(list(tmp_path.glob("run/trials/*split*/trial.json"))) >= 2)
    process.kill()
    process.join()
    assert len(records(tmp_path / "run")) < len(records(finished))
    done = arena(*command)
    assert done.status == 0, done.out + done.err
    assert bits(tmp_path / "run") == bits(finished)


def test_verify_predict_and_report(arena, finished, tmp_path):
    proof = arena("verify", finished, "--sample", 3, "--seed", 1)
    assert proof.status == 0, proof.out
    assert "13 finished trials checked against their predictions, 3 run again: all bit-identical" in proof.out
    assert re.search("split [012].*run again", proof.out)
    assert "random-forest on folded, seed 1, split 2" in proof.out
    assert arena("report", finished).status == 0
    page = (finished / "report.html").read_text()
    assert "This is about data like these: over 3 folds" in page
    assert "This is about samples of 100 of these training images, drawn anew with each seed" in page
    assert "cross-validation: 3 folds of all images" in page
    table = (finished / "report.md").read_text()
    assert "over training samples, seeds and images" in table
    assert "| 2 of 2 |" in table


def test_the_evidence_counts_each_image_once_and_the_luck_of_the_split(finished):
    run = load_run(finished)
    folded, sampled = (gather(run, dataset) for dataset in run.plan["datasets"])
    knn, forest = folded
    assert knn.correct.shape == (1, 1797)
    assert forest.correct.shape == (2, 1797)
    assert forest.seeds == forest.finished == 2
    assert forest.comparable
    assert knn.comparable
    assert knn.interval_of == "data"
    means = [knn.correct[0, knn.layout.split == n].mean() for n in range(3)]
    assert sorted(means) == pytest.approx(sorted(t.metrics["accuracy"] for t in knn.done))
    (pair,) = splits.differences([(knn.correct, forest.correct)], knn.layout)
    naive = Crossed([knn.correct, forest.correct], [True, False]).difference(0, 1)
    assert pair.estimate == pytest.approx(naive.estimate)
    assert pair.splits == 3
    least = splits.differences([(knn.correct, forest.correct)], replace(knn.layout, ratio=0.0))[0]
    assert pair.high - pair.low > least.high - least.low
    assert [recipe.deterministic for recipe in sampled] == [False, False]
    assert [recipe.interval_of for recipe in sampled] == ["seeds", "seeds"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("folds = 3\nsplits = 2", 'give "folds" or "splits", not both'),
        ("test_share = 0.2", '"test_share" is for "splits"'),
        ("folds = 3\ntest_limit = 10", '"test_limit" says nothing; leave "folds" out'),
        ("splits = 3\ntest_limit = 10", '"test_limit" says nothing; give "test_share"'),
        ('folds = 3\nsplit_seed = "seed"', '"folds" draws training images anew already'),
        ('split_seed = "seed"', 'split_seed = "seed" has nothing to draw'),
        ('split_seed = "other"', "split_seed"),
        ("folds = 1", "folds"),
        ("folds = 100\nvalidation = 2000", '"validation" = 2000 leaves no image to train on'),
    ],
)
def test_keys_that_do_not_go_together_are_named(arena, tmp_path, keys, said):
    (tmp_path / "spec.toml").write_text(
        f'[benchmark]\nname = "a"\n[[dataset]]\nname = "digits"\n{keys}\n[[model]]\nname = "knn"\n'
    )
    found = arena("validate", "spec.toml")
    assert found.status == 2
    assert said in found.err
    assert "spec.toml:" in found.err


def test_the_plan_says_what_few_test_images_let_be_known(arena, tmp_path):
    (tmp_path / "spec.toml").write_text(
        '[benchmark]\nname = "a"\n[[dataset]]\nname = "digits"\n[[dataset]]\nname = "digits"\nlabel = "b"\n'
        'splits = 2\n[[model]]\nname = "knn"\n'
    )
    shown = arena("plan", "spec.toml", "--no-estimate").out
    assert "digits: 360 test images; an accuracy of 90 % is known to ± 3.2 pp; folds = 5 would test all 1,797" in shown
    assert shown.count("test images;") == 1
    planned = json.loads(arena("plan", "spec.toml", "--no-estimate", "--json").out)
    assert [trial.get("split") for trial in planned["trials"]] == [None, 0, 1]
    assert [draw["n_test"] for draw in planned["datasets"][1]["draws"]] == [360, 360]


def test_a_plan_that_contradicts_itself_is_refused(finished, tmp_path):
    plan = json.loads((finished / "plan.json").read_text())
    del plan["trials"][0]["split"]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(StoreError, match="of a recipe some trials have a split, and others none"):
        load_run(tmp_path)
    run = load_run(finished)
    with pytest.raises(StoreError, match="the plan says of 500 images that 599 are tested in a split"):
        gather(run, {**run.plan["datasets"][0], "n_images": 500})


def test_weights_that_have_seen_what_is_tested_are_refused(finished):
    known = {record["dataset"]: record["identity"]["dataset"] for record in records(finished)}
    folded, sampled = (load_run(finished).of("knn", label)[0] for label in ("folded", "sampled"))
    assert saw(folded, known["sampled"])
    assert saw(sampled, known["folded"])
    assert not saw(sampled, known["sampled"])
    assert not saw(folded, {**known["folded"], "fingerprint": "other images"})
