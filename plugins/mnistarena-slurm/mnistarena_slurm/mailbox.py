"""What a job and the driver say to each other, through files that both see."""

from __future__ import annotations

import os
import pickle
import shutil
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mnistarena import StoreError
from mnistarena.executors import (
    Event,
    Job,
    TrialFolder,
    checkpoint_stamp,
    pack_checkpoint,
    pack_trial,
    unpack_trial,
)

LENGTH = struct.Struct(">Q")
"""What stands before each event: how many bytes it has."""

ORDERS = "driver"
"""The file of a run in which its driver says that it is there, and how often a stop was asked for."""


def give_orders(folder: Path, beat: int, stopping: int) -> None:
    """For all jobs of a run, whose folder this is."""
    new = folder / f"{ORDERS}.new"
    new.write_text(f"{beat} {stopping}")
    os.replace(new, folder / ORDERS)


@dataclass
class Mailbox:
    """A trial's folder beside the run folder: the files of the trial, and the news of its job.

    Only the driver writes into the run folder, so a job that outlives the driver disturbs no later one.
    """

    path: Path
    read: int = 0
    """Bytes of news that the driver has read."""
    copied: tuple[int, int] | None = None
    """The stamp of the checkpoint that the run folder has."""

    @property
    def trial(self) -> TrialFolder:
        """The trial's files, as the job has them."""
        return TrialFolder(self.path / "trial")

    # ---- The job's side

    def send(self, event: Event) -> None:
        """Append an event."""
        content = pickle.dumps(event)
        with open(self.path / "news", "ab") as file:
            file.write(LENGTH.pack(len(content)) + content)

    def orders(self) -> tuple[str, int]:
        """A text that changes as long as the driver is there, and how often a stop was asked for."""
        with suppress(OSError, ValueError):
            beat, stopping = (self.path.parent / ORDERS).read_text().split()
            return beat, int(stopping)
        return "", 0

    # ---- The driver's side

    def fill(self, job: Job) -> None:
        """What the run folder has of the trial: a checkpoint, if it goes on."""
        self.trial.path.mkdir(parents=True)
        if job.folder.is_dir():
            unpack_trial(self.trial.path, pack_trial(job.folder))
        self.copied = checkpoint_stamp(self.trial.path)

    def news(self) -> Iterator[Event]:
        """The events that have arrived since the last time."""
        with suppress(FileNotFoundError), open(self.path / "news", "rb") as file:
            file.seek(self.read)
            content = file.read()
            start = 0
            while len(content) >= start + LENGTH.size:
                (length,) = LENGTH.unpack_from(content, start)
                end = start + LENGTH.size + length
                if len(content) < end:
                    break
                self.read += end - start
                yield pickle.loads(content[start + LENGTH.size : end])
                start = end

    def copy_checkpoint(self, job: Job) -> None:
        """Bring a new checkpoint into the run folder; on a full disk the one that is there stays."""
        with suppress(StoreError, OSError):
            stamp = checkpoint_stamp(self.trial.path)
            if stamp != self.copied and (files := pack_checkpoint(self.trial.path)):
                unpack_trial(job.folder, files)
                self.copied = stamp

    def empty(self, job: Job) -> None:
        """Bring all files of the trial into the run folder, and remove them here. Raises `StoreError`."""
        unpack_trial(job.folder, pack_trial(self.trial.path))
        shutil.rmtree(self.path, ignore_errors=True)
