"""How often test images were looked at by recipes changed since: kept by a run, told by its report and by compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnistarena import load_run
from mnistarena.plan.resolve import resolve
from mnistarena.plugin.registry import installed
from mnistarena.spec.load import load_spec
from mnistarena.store.earlier_use import between, images_of

from ..report.folded import as_folds
from ..report.synthetic import MODELS, build_run

SPEC = """
[benchmark]
name = "looks"
seeds = [0]

[[dataset]]
name = "digits"
train_limit = 100
test_limit = {images}

[[model]]
name = "logistic-regression"
{params}
"""
MORE = '\n[[model]]\nname = "knn"\n'


def start(
    arena: Callable[..., Any], cwd: Path, out: str, *, params: str = "", images: int = 50, more: str = ""
) -> Path:
    """Run the spec into a folder."""
    (cwd / "spec.toml").write_text(SPEC.format(params=params, images=images) + more)
    done = arena("run", "spec.toml", "--out", out)
    assert done.status == 0, done.out + done.err
    return cwd / out


def said(arena: Callable[..., Any], run: Path) -> str:
    """What the report says of earlier looks."""
    assert arena("report", run, "--markdown").status == 0
    lines = (run / "report.md").read_text().splitlines()
    return " ".join(line for line in lines if "these test images were used" in line)


def test_a_run_says_how_often_its_test_images_were_used_before(arena: Callable[..., Any], tmp_path: Path) -> None:
    first = start(arena, tmp_path, "runs/first")
    assert said(arena, first) == ""
    same = start(arena, tmp_path, "runs/same")
    assert said(arena, same) == "", "the same recipe is no further look"
    start(arena, tmp_path, "runs/part", images=40)
    (tmp_path / "runs" / "damaged").mkdir()
    (tmp_path / "runs" / "damaged" / "plan.json").write_text("{")

    second = start(arena, tmp_path, "runs/second", params="params = { C = 0.5 }", more=MORE)
    told = said(arena, second)
    # The recipe of "first" is that of "same", and "part" has other test images.
    assert "used by 1 earlier run here (first of 20" in told
    assert "with 1 other recipe, another form of logistic-regression." in told
    assert str(tmp_path) not in (second / "plan.json").read_text()

    # A recipe that is changed in the same folder leaves a look behind, and so does its neighbour's history.
    start(arena, tmp_path, "runs/second", params="params = { C = 0.25 }", more=MORE)
    assert "used by 2 earlier runs here (first of 20" in said(arena, second)
    third = start(arena, tmp_path, "runs/third", params="params = { C = 0.1 }")
    looks = json.loads((third / "plan.json").read_text())["earlier_uses"]
    assert sorted(look["run"] for look in looks) == ["first", "second", "second"]
    assert sum(len(look["recipes"]) for look in looks) == 4

    # What is started again without a new recipe keeps what it found.
    before = (first / "plan.json").read_bytes()
    start(arena, tmp_path, "runs/first")
    assert (first / "plan.json").read_bytes() == before
    compared = arena("compare", first, second)
    assert "used by 2 other runs here (first of 20" in compared.out
    assert json.loads(arena("compare", first, same, "--json").out)["earlier_uses"] == []


def test_test_images_of_a_limit_are_the_same_where_seeds_draw_training_images() -> None:
    def images(**keys: int | str) -> str:
        dataset = {"name": "digits", "train_limit": 100, "test_limit": 50, **keys}
        spec = {"benchmark": {"name": "a"}, "dataset": [dataset], "model": [{"name": "knn"}]}
        plan = resolve(load_spec(spec), installed())
        (described,) = plan.describe()["datasets"]
        (drawn, *_) = plan.draws(plan.datasets[0])
        known = seen.setdefault(images_of(described), drawn.split.test.tolist())
        assert drawn.split.test.tolist() == known
        return images_of(described)

    seen: dict[str, list[int]] = {}
    assert images() == images(split_seed="seed")
    assert images() != images(split_seed=1)


def test_folds_use_the_test_images_of_a_run_without_and_not_the_other_way(tmp_path: Path) -> None:
    models = {"cnn": MODELS["cnn"]}
    folded = as_folds(build_run(tmp_path / "folded", models=models, n=40, seeds=2, salt="other"))
    plain = build_run(tmp_path / "plain", models=models, n=40, seeds=2)
    before, after = (load_run(run) for run in (folded, plain))
    (told,) = between(before, after)
    assert "used by 1 other run here (folded of" in told
    assert between(after, before) == []
