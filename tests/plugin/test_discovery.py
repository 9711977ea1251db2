"""Plugins are found by entry point, loaded one by one, and a bad one costs nobody else."""

from __future__ import annotations

import json
import shutil

from mnistarena.version import __version__

from ..helpers import ROOT

GOOD = '''
from mnistarena import ModelDef, Params, hookimpl
from pydantic import Field

class LinearParams(Params):
    """Parameters of a linear model."""
    bias: bool = Field(True, description="whether the layer has a bias")

def build(params, task):
    from torch import nn
    c, h, w = task.image_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, task.n_classes, bias=params.bias))

@hookimpl
def arena_models():
    return [ModelDef("{name}", "a linear model", params=LinearParams, build=build)]
'''


def plugins_of(result):
    return {entry["name"]: entry for entry in json.loads(result.out)}


def test_an_installed_plugin_is_listed_shown_and_run(arena, distribution, write_spec, tmp_path):
    site = distribution("arena-linear", GOOD.replace("{name}", "linear"), version="1.2")
    distribution("arena-other", "import sys; print('imported too', file=sys.stderr)" + GOOD.replace("{name}", "other"))
    listed = json.loads(arena("list", "models", "--json", plugins=site).out)
    assert {"name": "linear", "summary": "a linear model", "distribution": "arena-linear 1.2"} in listed
    shown = json.loads(arena("show", "model", "linear", "--json", plugins=site).out)
    assert shown["parameters"][0]["description"] == "whether the layer has a bias"
    spec = write_spec(
        """
        [benchmark]
        name = "third party"
        [[dataset]]
        name = "digits"
        [training]
        epochs = 2
        [[model]]
        name = "linear"
        params = { bias = false }
        """
    )
    result = arena("run", spec, plugins=site)
    assert result.status == 0, result.err + result.out
    assert "linear on digits, seed 0" in result.out
    assert "imported too" in result.err
    (log,) = tmp_path.glob("runs/*/trials/*/log.txt")
    assert "imported too" not in log.read_text(), "a trial imports the plugins that it uses"


def test_a_plugin_that_does_not_import_is_listed_with_its_cause_and_bricks_nothing(arena, distribution):
    distribution("arena-good", GOOD.replace("{name}", "good"))
    distribution("arena-exits", "raise SystemExit('bye')")
    site = distribution("arena-bad", "import a_module_that_is_not_there")
    found = plugins_of(arena("list", "plugins", "--json", plugins=site))
    assert found["arena_good"]["status"] == "loaded"
    assert found["arena_bad"]["status"] == "broken"
    assert "a_module_that_is_not_there" in found["arena_bad"]["cause"]
    assert found["arena_exits"]["status"] == "broken"
    assert found["cnn"]["status"] == "loaded"


def test_a_spec_that_needs_a_broken_plugin_stops_with_the_cause(arena, distribution, write_spec):
    site = distribution("arena-bad", "import a_module_that_is_not_there")
    spec = write_spec("[benchmark]\nname='x'\n[[dataset]]\nname='digits'\n[[model]]\nname='arena-bad'\n")
    result = arena("run", spec, plugins=site)
    assert result.status == 2
    assert "arena-bad) is broken: ModuleNotFoundError: No module named 'a_module_that_is_not_there'" in result.err


def test_strict_mode_refuses_a_broken_plugin(arena, distribution):
    site = distribution("arena-bad", "1 / 0")
    result = arena("list", plugins=site, ARENA_STRICT_PLUGINS="1")
    assert result.status == 2
    assert "ZeroDivisionError" in result.err


def test_a_blocked_plugin_is_not_even_imported(arena, distribution, tmp_path):
    site = distribution("arena-loud", f"open({str(tmp_path / 'imported')!r}, 'w')\n" + GOOD.replace("{name}", "loud"))
    for blocked in ("arena_loud", "arena-loud"):
        found = plugins_of(arena("list", "plugins", "--json", plugins=site, ARENA_DISABLE_PLUGINS=f"x,{blocked}"))
        assert found["arena_loud"]["status"] == "blocked"
    assert not (tmp_path / "imported").exists()


def test_two_plugins_of_one_name_are_both_named_and_only_a_spec_that_needs_it_stops(arena, distribution, write_spec):
    distribution("arena-one", GOOD.replace("{name}", "cnn"))
    site = distribution("arena-two", GOOD.replace("{name}", "other"))
    result = arena("validate", write_spec(), plugins=site)
    assert result.status == 2
    assert 'the model "cnn" is provided by' in result.err
    assert "arena-one 1.0" in result.err
    assert f"mnistarena-cnn {__version__}" in result.err
    assert arena("validate", write_spec(), "--only", "logistic-regression", plugins=site).status == 2
    assert arena("validate", write_spec(), plugins=site, ARENA_DISABLE_PLUGINS="arena-one").status == 0


def test_a_plugin_that_returns_the_wrong_thing_is_named(arena, distribution):
    distribution(
        "arena-wrong", "from mnistarena import hookimpl\n@hookimpl\ndef arena_models():\n    return ['a string']\n"
    )
    distribution("arena-newer", "from mnistarena import hookimpl\n@hookimpl\ndef arena_teleporters():\n    return []\n")
    site = distribution("arena-nothing", "x = 1")
    found = plugins_of(arena("list", "plugins", "--json", plugins=site))
    assert "'a string' where a ModelDef was expected" in found["arena_wrong"]["cause"]
    assert f"the hook arena_teleporters, which mnistarena {__version__} does not have" in found["arena_newer"]["cause"]
    assert "implements no hook" in found["arena_nothing"]["cause"]


NEWER = GOOD.replace("def arena_models():", "def arena_models(context):").replace("{name}", "newer")


def test_a_plugin_that_takes_a_newer_hooks_argument_is_told_which(arena, distribution, write_spec):
    site = distribution("arena-newer", NEWER)
    found = plugins_of(arena("list", "plugins", "--json", plugins=site))["arena_newer"]
    assert found["status"] == "broken"
    assert f"its arena_models() takes context, which mnistarena {__version__} does not pass" in found["cause"]
    assert "upgrade mnistarena, or install an older version of the plugin" in found["cause"]


def test_a_broken_plugin_that_requires_another_core_is_told_so_first(arena, distribution):
    newer = (
        "from mnistarena import ModelDef, hookimpl\n@hookimpl\ndef arena_models():\n    return [ModelDef(exporter=1)]\n"
    )
    site = distribution("arena-newer", newer, requires="mnistarena>=0.7,<0.8")
    found = plugins_of(arena("list", "plugins", "--json", plugins=site))["arena_newer"]
    assert found["cause"].startswith(
        f"it requires mnistarena<0.8,>=0.7, and this is {__version__}; install versions that fit"
    )
    assert "unexpected keyword argument 'exporter'" in found["cause"]


def test_on_a_core_whose_hooks_pass_more_older_plugins_work_beside_newer_ones(arena, distribution, tmp_path):
    distribution("arena-older", GOOD.replace("{name}", "older"))
    site = distribution(
        "arena-newer", NEWER.replace("    return [", "    assert context == 'what later cores tell'\n    return [")
    )
    later = tmp_path / "later"
    shutil.copytree(ROOT / "mnistarena", later / "mnistarena", ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in (
        ("plugin/hooks.py", "def arena_models()", "def arena_models(context)"),
        (
            "plugin/discovery.py",
            "OFFERED: dict[str, Any] = {}",
            "OFFERED: dict[str, Any] = {'context': 'what later cores tell'}",
        ),
    ):
        text = (later / "mnistarena" / file).read_text()
        assert old in text
        (later / "mnistarena" / file).write_text(text.replace(old, new))
    found = plugins_of(arena("list", "plugins", "--json", plugins=site, PYTHONPATH=str(later)))
    assert {found[name]["status"] for name in ("arena_older", "arena_newer", "cnn")} == {"loaded"}, found


RAISING = '''
from mnistarena import ModelDef, Params, TransformDef, hookimpl

class NoParams(Params):
    """None."""

def raises(*arguments):
    return 1 / 0

@hookimpl
def arena_models():
    checks = ModelDef("checks", "x", params=NoParams, build=raises, check=raises)
    return [checks, ModelDef("prepares", "x", params=NoParams, build=raises, prepare=raises)]

@hookimpl
def arena_transforms():
    return [TransformDef("shapes", "x", params=NoParams, build=raises, shape=raises)]
'''


def test_a_plugin_that_raises_while_a_spec_is_read_is_named_with_the_place(arena, distribution, write_spec):
    site = distribution("arena-raising", RAISING)
    text = '[benchmark]\nname="x"\n[[dataset]]\nname="digits"\n[[model]]\nname="{}"\ntransforms=[{}]\n'
    for model, chain, function, of in (
        ("checks", "", "check", "checks"),
        ("prepares", "", "prepare", "prepares"),
        ("logistic-regression", '"shapes"', "shape", "shapes"),
    ):
        result = arena("plan", write_spec(text.format(model, chain)), "--no-estimate", plugins=site)
        assert result.status == 2
        said = f'{function} of "{of}" (arena-raising 1.0) raised ZeroDivisionError: division by zero'
        assert said in result.err
        assert "tiny.toml:5: model[1]" in result.err or "tiny.toml:7" in result.err
