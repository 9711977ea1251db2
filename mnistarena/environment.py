"""The machine and the versions: recorded with every run, so that figures can be read years later."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

try:
    import resource as _resource

    resource: Any = _resource
except ImportError:  # not on Windows
    resource = None

CORE_PACKAGES = ("torch", "torchvision", "scikit-learn", "numpy", "scipy", "pandas")
"""Packages that figures depend on."""

Conditions = TypedDict(
    "Conditions",
    {
        "host": str,
        "device": str,
        "device_name": str,
        "bf16": bool,
        "threads": int,
        "jobs": int,
        "torch": "str | None",
        "torchvision": "str | None",
        "scikit-learn": "str | None",
        "numpy": "str | None",
        "python": str,
        "platform": str,
    },
    total=False,
)
"""What a trial's numbers and times depend on, beside its identity.

`device` is torch's name, such as "cpu" or "cuda:0"; `bf16` is whether it computes in bfloat16 itself; `jobs` is how
many trials ran side by side, `threads` how many threads each of them had; the others are versions.
"""


class Machine(TypedDict):
    """The machine of a run."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    architecture: str


class Environment(TypedDict):
    """environment.json: the machine, the versions of packages, and those of the plugins in use."""

    machine: Machine
    python: str
    packages: dict[str, str | None]
    distributions: dict[str, str]
    mnistarena: str | None


def version(distribution: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@lru_cache(maxsize=1)
def processor() -> str:
    """The processor's name, as the machine gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@lru_cache(maxsize=1)
def computes_bf16() -> bool:
    """Whether the processor multiplies matrices of bfloat16 itself, which on x86 AVX512-BF16 and AMX do.

    Only Linux is asked. Others, and other architectures, count as those that do not: nothing was measured on them.
    """
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("flags"):
                return not {"avx512_bf16", "amx_bf16"}.isdisjoint(line.partition(":")[2].split())
    return False


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_available() -> int:
    """Bytes of memory that this process can still have: of the machine, the container, and its own limits."""
    import psutil

    own = psutil.Process().memory_info()
    limits = (("RLIMIT_AS", own.vms), ("RLIMIT_DATA", getattr(own, "data", own.vms)))
    free = int(psutil.virtual_memory().available)
    for name, taken in limits if resource is not None else ():
        own_limit = resource.getrlimit(getattr(resource, name))[0]
        free = free if own_limit == resource.RLIM_INFINITY else max(0, min(free, own_limit - taken))
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        # The system keeps files that were read in memory until a program needs the room.
        return free if limit == "max" else min(free, int(limit) - int(used) + int(stat.get("inactive_file", 0)))
    except (OSError, ValueError):
        return free


def peak_memory_bytes() -> int:
    """The most resident memory that this process has had (a trial has a process of its own)."""
    if resource is not None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak) if sys.platform == "darwin" else int(peak) * 1024
    import psutil

    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def host() -> str:
    """This machine's name in the network."""
    return platform.node()


def conditions(
    device: str, device_name: str | None, *, threads: int, jobs: int, bf16: bool | None = None
) -> Conditions:
    """The conditions of trials on this machine; `device_name` None is the processor.

    `bf16` says whether the device computes in bfloat16 itself; by default what the processor says of itself, and that
    another device does not.
    """
    if bf16 is None:
        bf16 = device == "cpu" and computes_bf16()
    return {
        "host": host(),
        "device": device,
        "device_name": device_name or processor(),
        "bf16": bf16,
        "threads": threads,
        "jobs": jobs,
        "torch": version("torch"),
        "torchvision": version("torchvision"),
        "scikit-learn": version("scikit-learn"),
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def environment(distributions: dict[str, str]) -> Environment:
    """The machine and the versions of everything that matters; `distributions` are the plugins in use."""
    import psutil

    return {
        "machine": {
            "processor": processor(),
            "cores": cores(),
            "memory_bytes": psutil.virtual_memory().total,
            "system": f"{platform.system()} {platform.release()}",
            "architecture": platform.machine(),
        },
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in CORE_PACKAGES},
        "distributions": distributions,
        "mnistarena": distributions.get("mnistarena"),
    }
