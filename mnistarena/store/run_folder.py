"""The run folder: every path and format in it; those of one trial are in trial_folder.py.

    runs/full/
      spec.toml  plan.json  environment.json  .lock
      looks.json  searches.json                what looks decided and searches chose, where there are any
      plugins/<name>-<digest>.py               plugins that are single files, as they were when a run started
      datasets/<label>.npz                     test images, labels, index, groups: a report needs no dataset plugin
      datasets/<label>.audit.json              what was found in its images before anything was trained
      datasets/<label>.left-out.csv            what its reader did not take, and why, where that is anything
      trials/<label>-<dataset>-s<seed>-<id>/   trial.json  history.jsonl  predictions.npz  views.npz
                                               contributions.npz  model.safetensors  model.json  log.txt
                                               checkpoint.json  checkpoint-<step>.npz while unfinished
      searches/<label>-<dataset>-<number>-<id>/  trial.json  history.jsonl  log.txt: trials of searches
      damaged/                                 trials that were found altered or truncated, moved aside
      .scratch/                                arrays that workers share, while a run goes on
      report.html  report.md  report.tex  figures/

Files are written to a temporary name, synced and renamed, so a reader sees the old file or the new one.
trial.json holds the digests of the files beside it and of itself; a file is checked when it is used. What the JSON
files hold is in records.py; json_files.py has the number of the format.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray

from mnistarena.environment import Environment
from mnistarena.errors import StoreError, cannot_write
from mnistarena.plugin.audit_record import AuditRecord
from mnistarena.plugin.components import LeftOut
from mnistarena.plugin.executor import PluginFile
from mnistarena.store import checked
from mnistarena.store.files import (
    digest,
    open_unlinked,
    pack,
    read_bytes,
    to_json,
    unpack,
    write_atomically,
    write_file,
)
from mnistarena.store.json_files import ADVICE, FORMAT, read_json, with_advice
from mnistarena.store.records import LooksRecord, PlanRecord
from mnistarena.store.search_records import SearchesRecord
from mnistarena.store.trial_folder import TrialFolder
from mnistarena.text import all_visible, slug, unique_slug, visible


class RunFolder:
    """One run: a spec, its plan, and its trials."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folders: dict[str, dict[str, TrialFolder]] = {}  # trials, searches: identity → folder, once looked at

    def create(self) -> None:
        """Make the folder, or say why that cannot be."""
        try:
            (self.path / "trials").mkdir(parents=True, exist_ok=True)
            (self.path / "datasets").mkdir(exist_ok=True)
        except OSError as problem:
            raise StoreError(f"cannot make the run folder {self.path}: {problem.strerror}") from problem
        self.refuse_links()

    def refuse_links(self) -> None:
        """Raise `StoreError` where a folder inside is a link: nothing outside of the run folder is read or written."""
        for name in ("trials", "searches", "datasets", "plugins", "figures", "figures/paper", "damaged", ".scratch"):
            if (self.path / name).is_symlink():
                raise StoreError(f"{self.path / name} is a symbolic link; a run folder keeps its own files")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; the system releases the lock however the process ends."""
        from filelock import lock_descriptor

        path = self.path / ".lock"
        try:
            handle = open_unlinked(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        except OSError as problem:
            why = "it is a symbolic link" if path.is_symlink() else problem.strerror
            raise StoreError(f"cannot lock {self.path}: cannot write {path}: {why}") from problem
        with os.fdopen(handle, "a+") as stream:
            try:
                locked = lock_descriptor(handle, blocking=False)
            except OSError as problem:
                raise StoreError(f"cannot lock {path}: {problem.strerror}") from problem
            if not locked:
                holder = "another process"
                with suppress(OSError):  # Windows does not let others read what is locked
                    stream.seek(0)
                    holder = visible(stream.read(200)).strip() or holder
                raise StoreError(f"{self.path} is in use by {holder}; wait for it, or write elsewhere with --out")
            with suppress(OSError):  # on a full disk the lock holds without a name in it
                stream.truncate(0)
                stream.write(f"process {os.getpid()} on {socket.gethostname()}")
                stream.flush()
            self.sweep()
            yield

    def sweep(self) -> None:
        """Remove what a process that was killed left half written."""
        for pattern in (".*.tmp", "datasets/.*.tmp", "trials/*/.*.tmp", "searches/*/.*.tmp"):
            for path in self.path.glob(pattern):
                with suppress(OSError):
                    path.unlink()

    def write_start(self, spec: str, plan: PlanRecord, environment: Environment) -> None:
        """Write what a run is about, before its first trial."""
        write_atomically(self.path / "spec.toml", spec.encode())
        write_atomically(self.path / "environment.json", to_json(environment))
        write_atomically(self.path / "plan.json", to_json({**plan, "format": FORMAT}))

    def keep_plugin(self, plugin: PluginFile) -> PluginFile:
        """Copy a single-file plugin into the run folder, where no edit changes it; returns it with its new path."""
        path = self.path / "plugins" / f"{plugin.name}-{plugin.digest[:12]}.py"
        if not path.is_file() or digest(path) != plugin.digest:
            content = read_bytes(plugin.path)
            if hashlib.sha256(content).hexdigest() != plugin.digest:
                raise StoreError(f"{plugin.path} has changed since this run was planned; start the run again")
            write_file(path, content)
        return replace(plugin, path=path.resolve())

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "plan.json").is_file()

    def plan(self) -> PlanRecord:
        """The plan as it was last started."""
        path = self.path / "plan.json"
        if not self.exists():
            raise StoreError(f"{path} is missing; is {self.path} a run folder?")
        self.refuse_links()
        return cast(PlanRecord, all_visible(checked.as_plan(read_json(path), path)))

    def write_looks(self, found: LooksRecord) -> None:
        """Write what the looks of the run decided until now."""
        write_atomically(self.path / "looks.json", to_json({**found, "format": FORMAT}))

    def looks(self) -> LooksRecord:
        """What the looks of the run decided; empty where there was none."""
        path = self.path / "looks.json"
        if not path.is_file():
            return {"datasets": {}}
        return cast(LooksRecord, all_visible(checked.as_looks(read_json(path), path)))

    def write_searches(self, found: SearchesRecord) -> None:
        """Write what the searches of the run tried and chose until now."""
        write_atomically(self.path / "searches.json", to_json({**found, "format": FORMAT}))

    def searches(self) -> SearchesRecord:
        """What the searches of the run tried and chose; empty where there was none."""
        if not (path := self.path / "searches.json").is_file():
            return {"searches": []}
        return cast(SearchesRecord, all_visible(checked.as_searches(read_json(path), path)))

    def environment(self) -> Mapping[str, object]:
        """The machine and versions of the last start, as `mnistarena.environment.Environment` has them.

        Only shown, so that it may come from any version.
        """
        return dict(all_visible(read_json(self.path / "environment.json")))

    def spec(self) -> str:
        """The spec's text as it was last started."""
        return visible(read_bytes(self.path / "spec.toml").decode("utf-8", "replace"))

    def write_dataset(self, label: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store a test split: `images` uint8 (n, C, H, W), `labels`, `index`, and `groups`, `names` if any, (n,)."""
        path = self.path / "datasets" / f"{unique_slug(label)}.npz"
        data = pack(arrays)
        with suppress(StoreError):
            if read_bytes(path, len(data)) == data:
                return
        write_atomically(path, data)

    def dataset(self, label: str) -> dict[str, NDArray[Any]]:
        """The stored test split: `images`, `labels`, `index`, and `groups` where the dataset has them."""
        path = self.path / "datasets" / f"{unique_slug(label)}.npz"
        arrays = with_advice(unpack, path)
        for name, ndim, kinds in (("images", 4, "u"), ("labels", 1, "iu"), ("index", 1, "iu")):
            array = arrays.get(name)
            if array is None or array.ndim != ndim or array.dtype.kind not in kinds:
                raise StoreError(f'{path} holds no array "{name}" of {ndim} dimensions{ADVICE}')
        groups = arrays.get("groups")
        if groups is not None and (groups.ndim != 1 or groups.dtype.kind not in "iu"):
            raise StoreError(f'{path} holds no array "groups" of 1 dimension{ADVICE}')
        names = arrays.get("names")
        if names is not None and (names.ndim != 1 or names.dtype.kind != "U"):
            raise StoreError(f'{path} holds no array "names" of 1 dimension{ADVICE}')
        if len({len(array) for array in arrays.values()}) != 1:
            raise StoreError(f"{path}: images, labels and index differ in length{ADVICE}")
        return arrays

    def write_audit(self, label: str, found: AuditRecord, left_out: Sequence[LeftOut]) -> None:
        """Store what was found in a dataset's images, and the list of what was not read."""
        path = self.path / "datasets" / f"{unique_slug(label)}.audit.json"
        write_atomically(path, to_json({**found, "format": FORMAT}))
        listed = path.with_name(f"{unique_slug(label)}.left-out.csv")
        if left_out:
            text = io.StringIO()
            csv.writer(text).writerows([("name", "reason"), *((visible(o.name), visible(o.reason)) for o in left_out)])
            write_atomically(listed, text.getvalue().encode())
        else:
            listed.unlink(missing_ok=True)

    def audit(self, label: str) -> AuditRecord | None:
        """What was found in a dataset's images; None in a run of a version that did not look."""
        path = self.path / "datasets" / f"{unique_slug(label)}.audit.json"
        if not path.is_file():
            return None
        return cast(AuditRecord, all_visible(checked.as_audit(read_json(path), path)))

    def trial(self, label: str, dataset: str, *, seed: int, identity: str, split: int | None = None) -> TrialFolder:
        """A trial's folder: the one that holds this identity under whatever label, else a new name."""
        number = "" if split is None else f"-split{split}"
        return self._trial("trials", f"{slug(label)}-{slug(dataset)}-s{seed}{number}", identity)

    def search_trial(self, label: str, dataset: str, *, number: int, identity: str) -> TrialFolder:
        """The folder of a trial of a search, as `trial`; its number in the search is from 0."""
        return self._trial("searches", f"{slug(label)}-{slug(dataset)}-{number + 1:04}", identity)

    def _trial(self, kind: str, name: str, identity: str) -> TrialFolder:
        if kind not in self._folders:
            known: dict[str, TrialFolder] = {}
            self._folders[kind] = known
            with suppress(OSError), os.scandir(self.path / kind) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_dir(follow_symlinks=False):
                        known.setdefault(entry.name.rpartition("-")[2], TrialFolder(Path(entry.path)))
        folders = self._folders[kind]
        if identity not in folders:
            folders[identity] = TrialFolder(self.path / kind / f"{name}-{identity}")
        return folders[identity]

    def move_aside(self, path: Path) -> Path:
        """Move something damaged into `damaged/`, where it can be inspected; returns where it is now."""
        folder = self.path / "damaged"
        number = 1
        while (target := folder / (path.name + (f".{number}" if number > 1 else ""))).exists():
            number += 1
        try:
            folder.mkdir(exist_ok=True)
            path.rename(target)
        except OSError as problem:
            raise StoreError(f"cannot move {path} to {target}: {problem.strerror}") from problem
        self._folders = {}
        return target

    def remove(self, path: Path) -> None:
        """Remove a file or a folder of this run."""
        try:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as problem:
            raise StoreError(f"cannot remove {path}: {problem.strerror}") from problem
        self._folders = {}

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for files that workers share while a run goes on; emptied before and after."""
        path = self.path / ".scratch"
        shutil.rmtree(path, ignore_errors=True)
        try:
            path.mkdir()
        except OSError as problem:
            raise cannot_write(f"in {self.path}", problem) from problem
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def write_report(self, name: str, data: str | bytes) -> Path:
        """Write a report file, such as report.html or figures/accuracy.svg, and return its path."""
        self.refuse_links()
        path = self.path / name
        write_file(path, data)
        return path


def newest_run(root: Path) -> RunFolder:
    """The run started last among the folders of `root`."""
    plans = sorted(root.glob("*/plan.json"), key=lambda path: path.stat().st_mtime)
    if not plans:
        raise StoreError(f"no run found in {root}{os.sep}; start one with: arena run SPEC")
    return RunFolder(plans[-1].parent)
