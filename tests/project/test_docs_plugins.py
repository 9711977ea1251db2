"""docs/plugins.md and cluster.md keep up with the code: every hook has its signature, and an example that works."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import inspect
import json
import re

import numpy as np
import pytest

from mnistarena import (
    AugmentationDef,
    Between,
    DataContext,
    Dataset,
    OneOf,
    Parameter,
    Params,
    Predictions,
    PrepareContext,
    SearchTask,
    Task,
    TransformDef,
    Tried,
    __version__,
)
from mnistarena.plugin import hooks
from mnistarena.plugin.discovery import KINDS
from mnistarena.testing import checks

from ..helpers import ROOT

PAGE = (ROOT / "docs" / "plugins.md").read_text()
CLUSTER = (ROOT / "docs" / "cluster.md").read_text()
GIVEN = (Task, Dataset, DataContext, PrepareContext, Predictions, SearchTask, Tried, Parameter, Between, OneOf)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE + CLUSTER, re.DOTALL | re.MULTILINE)


EXAMPLES = {
    found[1]: block for block in blocks("python") if (found := re.match(r"# (arena_\w+)\.py\n", block)) is not None
}
"""The modules that are printed on the pages, by name."""

SETTINGS = {"npy-folder": ("path=shapes",)}
"""What `arena check` has to be told of a component that has no default for it."""


def provided(module):
    """What an example's hooks return, by hook."""
    names = {"__name__": module, "__file__": f"{module}.py"}
    exec(EXAMPLES[module], names)
    marked = [name for name, value in names.items() if hasattr(value, f"{hooks.PROJECT}_impl")]
    return {name: names[name]() for name in marked}


def hook_names():
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    return set(tables.hook_names())


@pytest.fixture
def site(distribution):
    """Every example, installed."""
    for module, source in EXAMPLES.items():
        folder = distribution(module.replace("_", "-"), source)
    return folder


@pytest.fixture
def shapes(tmp_path):
    """What the example of a dataset reads: a bright third of a noisy image says its class."""
    random = np.random.RandomState(0)
    thirds = {"left": np.s_[:, :, :4], "right": np.s_[:, :, 8:], "top": np.s_[:, :4]}
    for split, n in (("train", 60), ("test", 20)):
        (tmp_path / "shapes" / split).mkdir(parents=True)
        for name, third in thirds.items():
            images = random.randint(0, 120, (n, 12, 12)).astype(np.uint8)
            images[third] += 130
            np.save(tmp_path / "shapes" / split / f"{name}.npy", images)


def test_every_hook_is_on_the_page_with_its_signature():
    for name in hook_names():
        signature = f"def {name}{inspect.signature(getattr(hooks, name))}"
        # A quoted annotation is the same annotation.
        assert signature.replace("'", "") in PAGE.replace("'", ""), signature


def test_an_observer_takes_at_most_twenty_lines():
    assert len(EXAMPLES["arena_ticker"].splitlines()) - 1 <= 20  # the first says the file's name


def test_every_hook_has_an_example():
    assert {hook for module in EXAMPLES for hook in provided(module)} == hook_names()


def test_every_field_of_what_is_described_and_given_is_explained():
    for described in (*(definition for _, definition in KINDS.values()), *GIVEN):
        fields = [field.name for field in dataclasses.fields(described)]
        silent = [field for field in fields if not re.search(rf"`(\w+\.)?{field}\b", PAGE)]
        assert not silent, f"{described.__name__}: {silent}"


def test_what_the_page_imports_is_there():
    imports = [line for block in blocks("python") for line in block.splitlines() if re.match(r"(from|import) ", line)]
    assert any("mnistarena.pretrained" in line for line in imports)
    exec("\n".join(imports), {})
    for block in blocks("python"):
        if "import" in block:
            ast.parse(block)


def test_the_requirement_is_that_of_new_packages():
    template = (ROOT / "templates" / "plugin" / "common" / "pyproject.toml.j2").read_text()
    bounds = r"mnistarena>=[\d.]+,<[\d.]+"
    assert set(re.findall(bounds, PAGE)) == set(re.findall(bounds, template))


LATER = """
from mnistarena import ModelDef, hookimpl

@hookimpl
def arena_models():
    return [ModelDef(exporter=1)]
"""


def test_the_examples_are_listed_and_a_plugin_that_does_not_fit_is_told_what_the_page_says(arena, distribution, site):
    distribution("arena-later", LATER, requires="mnistarena>=0.7,<0.8")
    distribution("arena-context", LATER.replace("arena_models()", "arena_models(context)"))
    result = arena("list", "--json", plugins=site)
    assert result.status == 0, result.err
    listed = json.loads(result.out)
    for module in EXAMPLES:
        for hook, definitions in provided(module).items():
            there = {entry["name"]: entry for entry in listed[hook.removeprefix("arena_")]}
            for one in definitions:
                assert there[one.name]["summary"] == one.summary
                assert there[one.name]["distribution"] == f"{module.replace('_', '-')} 1.0"

    said = [" ".join(block.split()).replace("0.1.0", __version__) for block in blocks("text")]
    causes = {entry["name"]: entry["cause"] for entry in listed["plugins"]}
    later, context = causes["arena_later"], causes["arena_context"].removeprefix("PluginError: ")
    assert f"{later.partition(' (')[0]} (TypeError: …)" in said, later
    assert context in said, context


@pytest.mark.parametrize("module", EXAMPLES)
def test_an_example_keeps_the_promises_and_they_are_on_the_page(module, arena, site, shapes):
    for definitions in provided(module).values():
        for one in definitions:
            settings = [part for setting in SETTINGS.get(one.name, ()) for part in ("--set", setting)]
            result = arena("check", one.name, *settings, plugins=site)
            assert result.status == 0, result.out + result.err
            assert "keeps its promises" in result.out
            checks = re.findall(r"^  (?:passed|skipped) +(\S+) +(\S.*)$", result.out, re.MULTILINE)
            assert len(checks) > 5
            for name, meaning in checks:
                assert f"| `{name}` | {meaning} |" in PAGE


@pytest.mark.parametrize("of", ["RandAugment", "albumentations.Compose", "import RandomAffine", "MixUp"])
def test_the_adapters_of_other_libraries_keep_the_promises(of):
    (source,) = [block for block in blocks("python") if of in block]
    for library in re.findall(r"^    import (\w+)$|^    from (\w+)", source, re.MULTILINE):
        pytest.importorskip("".join(library))
    names = {}
    exec(source, names)
    if "targets" in source:
        definition = AugmentationDef("x", "x", params=Params, build=names["build"], soft_targets=True)
    else:
        definition = TransformDef("x", "x", params=Params, build=names["build"], random=True)
    tried = [check for check in checks(definition) if check.name != "import-without-torch"]
    assert len(tried) > 5
    found = {check.name: check.outcome() for check in tried}
    assert {name: one.message for name, one in found.items() if one.status == "failed"} == {}


def test_the_examples_run_together(arena, site, shapes, write_spec, tmp_path):
    (text,) = [block for block in blocks("toml") if "[benchmark]" in block]
    (command,) = re.findall(r"`arena (run spec\.toml .*?)`", PAGE)
    write_spec(text, "spec.toml")
    result = arena(*command.split(), plugins=site)
    assert result.status == 0, result.out + result.err
    assert "tinynet on npy-folder, seed 0" in result.out
    assert "strict" in result.out
    assert (tmp_path / "ticker.txt").read_text().startswith("tinynet 0 {'accuracy': ")
    (line,) = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert json.loads(line)["status"] == "done"
