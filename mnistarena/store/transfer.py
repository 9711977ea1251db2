"""The files of a job, packed to travel to another machine, and those of its trial, to travel back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import StoreError
from mnistarena.plugin.executor import Job
from mnistarena.store.checkpoint_files import PATTERN, POINTER
from mnistarena.store.files import open_plain, write_atomically
from mnistarena.text import slug

Parcel = Mapping[str, NDArray[np.uint8]]
"""Contents by file name, as bytes in arrays: libraries that move arrays without copying them move these so, too."""

Stamps = Mapping[str, tuple[int, int]]
"""Size (bytes) and time of the last change (ns) of each file, by name."""


def pack_job(job: Job) -> dict[str, NDArray[np.uint8]]:
    """All that a job reads on the machine that runs it: its trial's files, arrays, weights, single-file plugins."""
    paths = {f"trial/{name}": job.folder / name for name in stamps(job.folder)}
    if job.data.is_dir():
        paths |= {f"data/{path.name}": path for path in job.data.glob("*.npy")}
    paths |= {f"files/{digest}/{path.name}": path for digest, path in job.files.items()}
    paths |= {f"plugins/{plugin.digest}/{plugin.path.name}": plugin.path for plugin in job.plugins}
    return {name: np.fromfile(path, np.uint8) for name, path in paths.items()}


def unpack_job(job: Job, parcel: Parcel, folder: Path) -> Job:
    """Write what `pack_job` took into an empty folder; returns the job with its paths there."""
    for name, content in parcel.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise StoreError(f"a job has no file called {name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.data)
    (folder / "trial").mkdir(exist_ok=True)
    plugins = (replace(one, path=folder / "plugins" / one.digest / one.path.name) for one in job.plugins)
    return replace(
        job,
        folder=folder / "trial",
        data=folder / "data",
        temporary=folder / "tmp",
        files={digest: folder / "files" / digest / path.name for digest, path in job.files.items()},
        plugins=tuple(plugins),
    )


def pack_trial(folder: Path, *, unlike: Stamps | None = None) -> dict[str, NDArray[np.uint8]]:
    """All plain files of a trial's folder; with `unlike`, the stamps of an earlier moment, those changed since."""
    now = stamps(folder)
    return {name: _read(folder / name) for name in now if unlike is None or unlike.get(name) != now[name]}


def pack_checkpoint(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """The two files of a checkpoint, also of a training that runs; empty where there is none, or not now."""
    try:
        pointer = _read(folder / POINTER)
        names = [path.name for path in folder.glob(PATTERN) if path.name.encode() in pointer.tobytes()]
        return {**{name: _read(folder / name) for name in names}, POINTER: pointer} if names else {}
    except StoreError:  # the next checkpoint replaced it between two reads
        return {}


def checkpoint_stamp(folder: Path) -> tuple[int, int] | None:
    """The stamp of the checkpoint that is there, to see later whether it has changed; None without one."""
    return stamps(folder).get(POINTER)


def unpack_trial(folder: Path, parcel: Parcel) -> None:
    """Write the files into a trial's folder; a checkpoint replaces the one before."""
    for name in parcel:
        if slug(name) != name:
            raise StoreError(f"a trial has no file called {name!r}")
    for name in sorted(parcel, key=lambda name: name == POINTER):
        content = parcel[name]
        write_atomically(folder / name, lambda stream, content=content: stream.write(content.data))  # type: ignore[misc]
    if POINTER in parcel:
        for old in folder.glob(PATTERN):
            if old.name not in parcel:
                old.unlink(missing_ok=True)


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each plain file, to see later which has changed."""
    return {
        path.name: (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }


def _read(path: Path) -> NDArray[np.uint8]:
    with open_plain(path) as stream:
        return np.frombuffer(stream.read(), np.uint8)
