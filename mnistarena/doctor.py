"""`arena doctor`: the state of this installation: versions, devices, plugins, data, disk and memory."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from typing_extensions import NotRequired, TypedDict

from mnistarena import environment
from mnistarena.errors import MissingDataError
from mnistarena.paths import data_dir
from mnistarena.plugin.components import DataContext
from mnistarena.plugin.registry import Component, Registry
from mnistarena.version import __version__

ENOUGH = 1 << 30
"""Free bytes, on a disk or in memory, below which a run may soon fail."""

DEVICE_SECONDS = 120
"""How long the process that imports torch may take."""

# Run in a process of its own: a torch that does not fit its system may crash the interpreter that imports it.
_DEVICES = """
import json, torch, torchvision
found = []
for number in range(torch.cuda.device_count()):
    facts = torch.cuda.get_device_properties(number)
    found.append({"device": f"cuda:{number}", "name": facts.name, "memory_bytes": facts.total_memory})
if torch.backends.mps.is_available():
    found.append({"device": "mps", "name": "Apple", "memory_bytes": None})
print(json.dumps(found))
"""


class Device(TypedDict):
    """A device that trials can run on; `memory_bytes` is its own memory, `cores` those of the processor."""

    device: str
    name: str
    memory_bytes: int | None
    cores: NotRequired[int]


class PluginRow(TypedDict):
    """A plugin: whether it loaded, and the names of the components it provides, by kind."""

    name: str
    distribution: str
    version: str
    status: str
    cause: str
    provides: dict[str, list[str]]


class DatasetRow(TypedDict):
    """A dataset: `found` on this machine, `missing`, `yours` (its parameters name your files), or `broken`."""

    name: str
    status: Literal["found", "missing", "yours", "broken"]
    detail: str


class DiskRow(TypedDict):
    """A folder that mnistarena writes to."""

    what: str
    path: str
    free_bytes: int
    writable: bool


class MachineRow(TypedDict):
    """The system and its memory."""

    system: str
    memory_bytes: int
    memory_available_bytes: int


class Findings(TypedDict):
    """The state of an installation: `limits` says what this system does not offer, `problems` what to fix."""

    versions: dict[str, str | None]
    machine: MachineRow
    devices: list[Device]
    plugins: list[PluginRow]
    datasets: list[DatasetRow]
    disk: list[DiskRow]
    limits: list[str]
    problems: list[str]


def examine(registry: Registry, runs: Path) -> Findings:
    """Everything that was found. `runs` is where run folders would go. Nothing is downloaded or written."""
    import psutil

    problems: list[str] = []
    found: Findings = {
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
        "limits": limits(),
        "problems": problems,
    }
    if found["machine"]["memory_available_bytes"] < ENOUGH:
        problems.append("less than 1 GiB of memory is free: close other programs, or give trials a --memory-limit")
    return found


def limits() -> list[str]:
    """What trials do not have on this system, a sentence each; on Linux nothing is missing."""
    missing = (
        (sys.platform == "linux", "trials have no processor cores of their own"),
        (
            "forkserver" in multiprocessing.get_all_start_methods(),
            "each trial loads torch anew, which takes some seconds",
        ),
        (
            hasattr(signal, "pthread_sigmask"),
            "a run that is stopped keeps what its trials saved last (--checkpoint-every), not where they are",
        ),
        (hasattr(os, "getsid"), "a program that a trial starts with another environment may outlive it"),
        (hasattr(os, "O_NOFOLLOW"), "a link is refused before a file is opened, not while it is"),
    )
    return [sentence for there, sentence in missing if not there]


def versions(problems: list[str]) -> dict[str, str | None]:
    """The versions of mnistarena, of Python, and of the packages that figures depend on."""
    packages = {name: environment.version(name) for name in environment.CORE_PACKAGES}
    problems += [f"{name} is not installed: pip install {name}" for name, known in packages.items() if known is None]
    return {"mnistarena": __version__, "python": platform.python_version(), **packages}


def devices(problems: list[str]) -> list[Device]:
    """The processor, and the devices that torch finds beside it."""
    cpu: Device = {
        "device": "cpu",
        "name": environment.processor(),
        "cores": environment.cores(),
        "memory_bytes": None,
    }
    try:
        done = subprocess.run([sys.executable, "-c", _DEVICES], capture_output=True, text=True, timeout=DEVICE_SECONDS)
        if done.returncode == 0:
            return [cpu, *json.loads(done.stdout.splitlines()[-1])]
        last = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        last = f"it did not answer in {DEVICE_SECONDS} s"
    problems.append(
        f"torch and torchvision cannot be imported: {last}; install versions that fit together: "
        "pip install --force-reinstall torch torchvision"
    )
    return [cpu]


def plugins(registry: Registry, problems: list[str]) -> list[PluginRow]:
    """A row a plugin; those that are broken or provide a name twice are problems."""
    rows: list[PluginRow] = []
    for plugin in registry.plugins:
        rows.append(
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "status": plugin.status,
                "cause": plugin.cause,
                "provides": {kind: [d.name for d in of_kind] for kind, of_kind in plugin.components.items() if of_kind},
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


def dataset(component: Component) -> DatasetRow:
    """Whether a dataset loads from files that are on this machine."""
    name = component.name
    try:
        params = component.definition.params()
    except ValidationError:
        return {"name": name, "status": "yours", "detail": "given a path, your own files"}
    try:
        loaded = component.definition.load(params, DataContext(data_dir(), download=False))
    except MissingDataError:
        return {"name": name, "status": "missing", "detail": "a run that needs it downloads it"}
    except Exception as problem:
        return {"name": name, "status": "broken", "detail": f"{type(problem).__name__}: {problem}"}
    detail = f"{len(loaded.train_labels):,} + {len(loaded.test_labels):,} images of {loaded.n_classes} classes"
    return {"name": name, "status": "found", "detail": detail}


def disk(what: str, path: Path, problems: list[str]) -> DiskRow:
    """Free bytes where `path` is or would be, and whether it can be written."""
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())
    free, writable = shutil.disk_usage(there).free, os.access(there, os.W_OK)
    if not writable:
        problems.append(f"{there} cannot be written, where {what} go")
    elif free < ENOUGH:
        problems.append(f"less than 1 GiB is free in {there}, where {what} go; arena clean RUN frees some")
    return {"what": what, "path": str(path.absolute()), "free_bytes": free, "writable": writable}
