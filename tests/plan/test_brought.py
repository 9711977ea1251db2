"""Files of predictions: what they may look like, and one sentence for each that cannot be used."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnistarena.builtin.datasets.digits import NoParams, load_digits
from mnistarena.errors import SpecError
from mnistarena.plan.brought import BroughtRecipe
from mnistarena.plan.resolve import resolve
from mnistarena.plugin.components import DataContext
from mnistarena.plugin.registry import installed
from mnistarena.report.sections.published import counts
from mnistarena.spec.load import load_spec

N = 360
LABELS = load_digits(NoParams(), DataContext(Path())).test_labels
SPEC = """
[benchmark]
name = "x"
[[dataset]]
name = "digits"
{dataset}
[[model]]
label = "mine"
{model}
"""

Resolve = Callable[..., dict[int, Any]]


def table() -> pd.DataFrame:
    """Right probabilities of all test images."""
    values = np.full((N, 10), 0.01)
    values[np.arange(N), LABELS] = 0.91
    found = pd.DataFrame(values, columns=[str(number) for number in range(10)])
    found.insert(0, "index", np.arange(N))
    return found.astype(object)


def changed(row: int, column: str, value: object) -> pd.DataFrame:
    found = table()
    found.loc[row, column] = value
    return found


def labels(row: int = 0, value: object = None, **columns: Any) -> pd.DataFrame:
    found = pd.DataFrame({"index": np.arange(N), "predicted": LABELS, **columns}).astype(object)
    if value is not None:
        found.loc[row, "predicted"] = value
    return found


@pytest.fixture
def resolved(tmp_path: Path) -> Resolve:
    """The values that each seed gives, of predictions that a spec names."""

    def call(model: str, dataset: str = "") -> dict[int, Any]:
        (tmp_path / "spec.toml").write_text(SPEC.format(model=model, dataset=dataset))
        plan = resolve(load_spec(tmp_path / "spec.toml"), installed())
        (recipe,) = plan.recipes
        assert isinstance(recipe, BroughtRecipe)
        assert [trial.seed for trial in plan.trials()] == list(recipe.predictions)
        return {seed: one.values for seed, one in recipe.predictions.items()}

    return call


def test_formats_say_the_same(tmp_path, resolved):
    shuffled = table().sample(frac=1, random_state=1)
    shuffled.to_csv(tmp_path / "a.csv", index=False)
    shuffled.to_csv(tmp_path / "b.csv.gz", index=False, sep=";")
    shuffled.astype(float).rename(columns={str(n): f"p_{n}" for n in range(10)}).to_parquet(tmp_path / "c.parquet")
    values = table().drop(columns="index").to_numpy(float)
    np.savez(tmp_path / "d.npz", probabilities=values[::-1], index=np.arange(N)[::-1], labels=LABELS[::-1])
    np.save(tmp_path / "e.npy", values)
    found = resolved('predictions = "?.*"')
    assert list(found) == [0, 1, 2, 3, 4]
    for seed in found:
        np.testing.assert_array_equal(found[seed], values)


def test_seeds_come_from_the_file_else_from_its_name_else_from_the_order(tmp_path, resolved):
    one = labels()
    for name in ("net28-7", "net28-12", "other"):
        one.to_csv(tmp_path / f"{name}.csv", index=False)
    pd.concat([labels(seed=3), labels(seed=5)]).to_csv(tmp_path / "both.csv", index=False)
    assert list(resolved('predictions = "net28-*.csv"')) == [7, 12]
    assert list(resolved('predictions = "*er.csv"')) == [0]
    assert list(resolved('predictions = ["net28-12.csv", "net28-7.csv"]')) == [0, 1]
    assert list(resolved('predictions = { 9 = "other.csv" }')) == [9]
    assert list(resolved('predictions = "both.csv"')) == [3, 5]


def test_of_a_part_of_the_test_images_that_part_is_taken(tmp_path, resolved):
    labels().to_csv(tmp_path / "a.csv", index=False)
    found = resolved('predictions = "a.csv"', "test_limit = 50")[0]
    assert len(found) == 50


BAD = {
    "missing": (table()[:-2], "a.csv: 2 test images of 360 are missing: 358, 359; every test image needs a prediction"),
    "twice": (pd.concat([table(), table()[:1]]), "a.csv, line 362: the test image 0 stands there a second time, after"),
    "outside": (
        changed(3, "index", 360),
        'a.csv, line 5: the index of the test image is "360", not a whole number from',
    ),
    "broken index": (changed(3, "index", 1.5), 'line 5: the index of the test image is "1.5"'),
    "no number": (changed(4, "7", "much"), 'a.csv, line 6: column 7: "much" is no number'),
    "empty": (changed(4, "7", None), "a.csv, line 6: column 7: is empty"),
    "not a number": (changed(4, "7", "nan"), 'line 6: the probabilities of the class "7" are not finite: nan'),
    "negative": (
        changed(4, "7", -1),
        'line 6: the probability of the class "7" is -1; if these are logits, take their',
    ),
    "sum": (changed(4, "7", 0.012), "line 6: the probabilities sum to 1.002, not to 1 (within 0.001)"),
    "a class too few": (table().drop(columns="3"), "has probabilities of 9 of the 10 classes; columns are missing for"),
    "no index": (labels().drop(columns="index"), 'which test images its rows are; give a column "index" or "name"'),
    "numbers alone": (table().drop(columns="index"), "begins with numbers (0, 1, 2 and 7 more), not with names of col"),
    "names of images": (table().rename(columns={"index": "name"}), "names images, and the dataset has no names for"),
    "no prediction": (
        table()[["index"]],
        'a.csv has a column of probabilities for no class, and no column "predicted"',
    ),
    "an unknown class": (labels(5, "frog"), 'a.csv, line 7: the predicted class is "frog", which is no class'),
    "a class beyond": (labels(5, 10), 'line 7: the predicted class is "10", which is no class'),
    "other images": (labels(true=LABELS[::-1]), "these are other images, or another order (3"),
    "two seeds": (labels(seed=[0, 1] * 180), "a.csv, seed 0: 180 test images of 360 are missing"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_used(case, tmp_path, resolved):
    frame, sentence = BAD[case]
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(SpecError) as problem:
        resolved('predictions = "a.csv"')
    (line,) = problem.value.problems
    assert line.startswith(f'{tmp_path / "spec.toml"}:9: model[1] "mine": ')
    assert sentence in line


TABLES = {
    'predictions = "b-*.csv"': 'no file matches "b-*.csv" in ',
    "predictions = 3": '"predictions" must be a pattern of files such as "results/jax-*.csv", a list of files, or',
    'predictions = { one = "a.csv" }': '"predictions" must be a pattern of files',
    'predictions = { 0 = "*.csv" }': '"*.csv" is 2 files (a.csv, c.csv); name one for seed 0',
    'predictions = "?.csv"\ndeterministic = true': "deterministic = true says that one seed is enough, and there are 2",
    'predictions = ["a.csv", "d.npy"]': "some seeds give labels, others probabilities; give the same of all",
    'predictions = "d.npz"': 'd.npz has no array "probabilities" (images, classes), nor "predicted"',
    'predictions = "a.csv"\nname = "cnn"': 'unknown key "name"; known: predictions, label, deterministic',
    "published = 1.5": '"published" must be a share such as 0.9911, or "99.11 %", not 1.5',
    "published = 0.9": "nothing to run: there are published figures only",
}


@pytest.mark.parametrize("model", TABLES)
def test_a_table_that_cannot_be_used(model, tmp_path, resolved):
    for name in ("a", "c"):
        labels().to_csv(tmp_path / f"{name}.csv", index=False)
    np.save(tmp_path / "d.npy", table().drop(columns="index").to_numpy(float))
    np.savez(tmp_path / "d.npz", other=LABELS)
    with pytest.raises(SpecError) as problem:
        resolved(model)
    assert any(TABLES[model] in line for line in problem.value.problems), problem.value


def test_folds_and_several_datasets(tmp_path, resolved):
    labels().to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(SpecError, match='"folds" draws several from all images of "digits"; leave "folds" out'):
        resolved('predictions = "a.csv"', "folds = 5")
    another = '[[dataset]]\nname = "digits"\nlabel = "again"'
    with pytest.raises(SpecError, match=r"write \{dataset\} in the path of each file"):
        resolved('predictions = "a.csv"', another)
    for name in ("digits", "again"):
        (tmp_path / f"{name}-0.csv").write_text((tmp_path / "a.csv").read_text())
    spec = SPEC.format(model='predictions = "{dataset}-*.csv"', dataset=another)
    (tmp_path / "two.toml").write_text(spec)
    plan = resolve(load_spec(tmp_path / "two.toml"), installed())
    assert [recipe.data.label for recipe in plan.recipes] == ["digits", "again"]


def test_images_and_classes_by_name(tmp_path, arena):
    picture = io.BytesIO()
    Image.new("L", (4, 4), 100).save(picture, "PNG")
    for split, name in ((split, name) for split in ("train", "test") for name in ("cat", "dog")):
        for number in range(2):
            path = tmp_path / "pictures" / split / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture.getvalue())
    spec = '[benchmark]\nname = "x"\n[[dataset]]\nname = "image-folder"\nparams = { path = "pictures" }\n'
    (tmp_path / "spec.toml").write_text(spec + '[[model]]\nlabel = "mine"\npredictions = "mine.csv"\n')
    rows = [("cat/0.png", "cat"), ("dog/1.png", "cat"), ("cat/1.png", "cat"), ("dog/0.png", "dog")]
    names = [f"test/{name}" for name, _ in rows]
    frame = pd.DataFrame({"name": names, "predicted": [said for _, said in rows]})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    found = arena("validate", "spec.toml")
    assert found.status == 0, found.err
    frame.assign(name=[*names[:3], "test/dog/2.png"]).to_csv(tmp_path / "mine.csv", index=False)
    assert (
        'mine.csv, line 5: no test image is called "test/dog/2.png"; did you mean' in arena("validate", "spec.toml").err
    )


@pytest.mark.parametrize(
    ("text", "n", "found"),
    [
        ("0.9911", 10_000, [9911]),
        ("99.11 %", 10_000, [9911]),
        ("0.991", 10_000, range(9905, 9916)),
        ("0.99115", 10_000, []),
        ("0.99115", 20_000, [19823]),
        ("1", 100, range(50, 101)),
        ("100 %", 100, [100]),
    ],
)
def test_a_published_share_is_a_whole_number_of_images(text, n, found):
    assert list(counts(text, n)) == list(found)
