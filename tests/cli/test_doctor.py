"""`arena doctor` says what is there and what is to be fixed, and a broken part does not break it."""

from __future__ import annotations

import json

import torch


def test_everything_is_on_one_screen_and_a_sound_installation_has_nothing_to_fix(arena):
    result = arena("doctor", COLUMNS="100")
    assert result.status == 0, result.out
    assert "Everything is ready to run." in result.out
    assert len(result.out.splitlines()) <= 24
    assert f"torch {torch.__version__.partition('+')[0]}" in result.out
    assert "mnist: 60,000 + 10,000 images of 10 classes" in result.out


def test_what_is_broken_misses_or_asks_for_another_version_is_a_finding_and_nothing_is_written(
    arena, distribution, tmp_path
):
    distribution("arena-bad", "import a_module_that_is_not_there")
    distribution("arena-shy", "x = 1")
    older = "from mnistarena import hookimpl\n@hookimpl\ndef arena_metrics():\n    return []\n"
    site = distribution("arena-older", older, requires="mnistarena<0.1")
    (site / "torch.py").write_text("raise ImportError('libcudart.so.99: cannot open shared object file')")
    before = sorted(tmp_path.rglob("*"))
    env = {"ARENA_DISABLE_PLUGINS": "arena-shy", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    result, told = (arena("doctor", *options, plugins=site, **env) for options in (("--json",), ()))
    assert (result.status, told.status) == (1, 1)
    found = json.loads(result.out)
    status = {plugin["name"]: (plugin["status"], plugin["cause"]) for plugin in found["plugins"]}
    assert status["arena_bad"] == ("broken", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'")
    assert status["arena_shy"] == ("blocked", "blocked by ARENA_DISABLE_PLUGINS")
    assert sorted(found["problems"]) == [
        f"the plugin arena_bad (arena-bad 1.0) is broken: {status['arena_bad'][1]}",
        "the plugin arena_older (arena-older 1.0) requires mnistarena<0.1",
        "torch and torchvision cannot be imported: ImportError: libcudart.so.99: cannot open shared object file; "
        "install versions that fit together: pip install --force-reinstall torch torchvision",
    ]
    assert "to fix: torch and torchvision cannot be imported: ImportError: libcudart.so.99" in told.out
    assert [device["device"] for device in found["devices"]] == ["cpu"]
    assert "cpu" in told.out
    data = {entry["name"]: entry["status"] for entry in found["datasets"]}
    assert (data["mnist"], data["kmnist"], data["image-folder"]) == ("found", "missing", "yours")
    assert [place["what"] for place in found["disk"]] == ["run folders", "data cache"]
    assert all(place["free_bytes"] > 0 and place["writable"] for place in found["disk"])
    assert str(tmp_path) in found["disk"][0]["path"]
    assert sorted(tmp_path.rglob("*")) == before
