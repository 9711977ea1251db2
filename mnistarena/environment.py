"""What machine, which versions: recorded with every run, so that figures can be read years later."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

CORE_PACKAGES = ("torch", "torchvision", "scikit-learn", "numpy", "scipy", "pandas")


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


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_available() -> int:
    """Bytes of memory that programs can still have, a container's limit included."""
    import psutil

    free = int(psutil.virtual_memory().available)
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        # Files that were read stay in memory until somebody needs it.
        return free if limit == "max" else min(free, int(limit) - int(used) + int(stat.get("inactive_file", 0)))
    except (OSError, ValueError):
        return free


def conditions(device: str, device_name: str | None, threads: int, jobs: int) -> dict[str, Any]:
    """What a trial's numbers and times depend on, beside its identity.

    `jobs` is how many trials ran side by side; `threads` is what each of them had.
    """
    return {
        "host": platform.node(),
        "device": device,
        "device_name": device_name or processor(),
        "threads": threads,
        "jobs": jobs,
        "torch": version("torch"),
        "torchvision": version("torchvision"),
        "scikit-learn": version("scikit-learn"),
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def environment(distributions: dict[str, str]) -> dict[str, Any]:
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
