"""Is this installation fit to run: versions, devices, plugins, data, disk and memory, each looked at as it is."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mnistarena import environment
from mnistarena.components import DataContext
from mnistarena.errors import MissingDataError
from mnistarena.registry import Component, Registry
from mnistarena.resolve import data_dir
from mnistarena.version import __version__

ENOUGH = 1 << 30
"""Free bytes below which a run may soon stand still, on a disk or in memory."""

LOOK_SECONDS = 120

# In a process of its own: a torch that does not fit its system may end the interpreter that imports it.
_LOOK = """
import json, torch, torchvision
found = []
for number in range(torch.cuda.device_count()):
    facts = torch.cuda.get_device_properties(number)
    found.append({"device": f"cuda:{number}", "name": facts.name, "memory_bytes": facts.total_memory})
if torch.backends.mps.is_available():
    found.append({"device": "mps", "name": "Apple", "memory_bytes": None})
print(json.dumps(found))
"""


def examine(registry: Registry, runs: Path) -> dict[str, Any]:
    """All that was found, as plain data; `problems` are sentences that say what to mend.

    `runs` is where run folders would go. Nothing is fetched, and nothing written.
    """
    import psutil

    problems: list[str] = []
    found: dict[str, Any] = {
        "versions": versions(problems),
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "memory_bytes": psutil.virtual_memory().total,
            "memory_available_bytes": environment.memory_available(),
        },
        "devices": devices(problems),
        "plugins": plugins(registry, problems),
        "datasets": [dataset(component) for component in registry.all("dataset")],
        "disk": [disk("run folders", runs, problems), disk("data cache", data_dir(), problems)],
    }
    if found["machine"]["memory_available_bytes"] < ENOUGH:
        problems.append("less than 1 GiB of memory is free: close something, or give trials a --memory-limit")
    return {**found, "problems": problems}


def versions(problems: list[str]) -> dict[str, str | None]:
    """Ours, Python's, and those of the packages that figures depend on."""
    packages = {name: environment.version(name) for name in environment.CORE_PACKAGES}
    problems += [f"{name} is not installed: pip install {name}" for name, known in packages.items() if known is None]
    return {"mnistarena": __version__, "python": platform.python_version(), **packages}


def devices(problems: list[str]) -> list[dict[str, Any]]:
    """The processor, and what torch finds beside it; `memory_bytes` of a device of its own."""
    cpu = {"device": "cpu", "name": environment.processor(), "cores": environment.cores(), "memory_bytes": None}
    try:
        done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=LOOK_SECONDS)
        if done.returncode == 0:
            return [cpu, *json.loads(done.stdout.splitlines()[-1])]
        last = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        last = f"it did not answer in {LOOK_SECONDS} s"
    problems.append(
        f"torch and torchvision cannot be imported: {last}; install versions that fit together: "
        "pip install --force-reinstall torch torchvision"
    )
    return [cpu]


def plugins(registry: Registry, problems: list[str]) -> list[dict[str, Any]]:
    """A row a plugin: its status with the cause, and how many components of each kind it provides."""
    rows = []
    for plugin in registry.plugins:
        provided = {kind: [d.name for d in of_kind] for kind, of_kind in plugin.components.items() if of_kind}
        rows.append(
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "status": plugin.status,
                "cause": plugin.cause,
                "provides": provided,
            }
        )
        if plugin.status == "broken":
            problems.append(
                f"the plugin {plugin.name} ({plugin.distribution} {plugin.version}) is broken: {plugin.cause}"
            )
        elif plugin.unmet:
            problems.append(
                f"the plugin {plugin.name} ({plugin.distribution} {plugin.version}) requires {plugin.unmet}"
            )
    for kind, names in registry.taken_twice().items():
        problems += [
            f'the {kind} "{name}" is provided twice: {" and ".join(origins)}' for name, origins in names.items()
        ]
    return rows


def dataset(component: Component) -> dict[str, Any]:
    """Whether a dataset loads from what is on this machine: `found`, `missing`, `yours` (it needs a path), `broken`."""
    row = {"name": component.name, "status": "found", "detail": ""}
    try:
        params = component.definition.params()
    except ValidationError:
        return {**row, "status": "yours", "detail": "given a path, your own files"}
    try:
        loaded = component.definition.load(params, DataContext(data_dir(), download=False))
        detail = f"{len(loaded.train_labels):,} + {len(loaded.test_labels):,} images of {loaded.n_classes} classes"
        return {**row, "detail": detail}
    except MissingDataError:
        return {**row, "status": "missing", "detail": "a run that needs it fetches it"}
    except Exception as problem:
        return {**row, "status": "broken", "detail": f"{type(problem).__name__}: {problem}"}


def disk(what: str, path: Path, problems: list[str]) -> dict[str, Any]:
    """Free bytes where `path` is or would be, and whether one may write there."""
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())
    free, writable = shutil.disk_usage(there).free, os.access(there, os.W_OK)
    if not writable:
        problems.append(f"{there} cannot be written, where {what} go")
    elif free < ENOUGH:
        problems.append(f"less than 1 GiB is free in {there}, where {what} go; arena clean RUN gives some back")
    return {"what": what, "path": str(path.absolute()), "free_bytes": free, "writable": writable}
