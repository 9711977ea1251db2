"""A trial's news on its node, sent to the driver no more often than the driver can take."""

from __future__ import annotations

import time
from collections.abc import Iterator

from mnistarena.executors import Event, Started, StepsDone, TrialFolder, checkpoint_stamp, pack_checkpoint
from mnistarena_ray.messages import CheckpointSaved, Message, News

CHECKPOINT_SHARE = 20
"""Sending checkpoints takes at most one part in this many of a training's time."""

LOG_BYTES = 64 << 10
"""What one message holds of a trial's output, at most; the whole log comes with the result."""


class Outbox:
    """Collects the news of the trial in `folder`.

    `news_seconds` and `checkpoint_seconds` are the shortest times between two messages and between two checkpoints.
    """

    def __init__(self, folder: TrialFolder, *, news_seconds: float, checkpoint_seconds: float) -> None:
        self.folder = folder
        self.news_seconds, self.checkpoint_seconds = news_seconds, checkpoint_seconds
        self.events: list[Event] = []
        self.sent, self.checkpoint_sent = time.monotonic(), 0.0
        self.cost = 0.0
        """Seconds that reading and sending the last checkpoint took."""
        log = folder.log.path
        self.log_position = log.stat().st_size if log.is_file() else 0
        self.checkpoint = checkpoint_stamp(folder.path)

    def add(self, event: Event) -> None:
        """Take an event; of several `StepsDone` in a row only the last is kept."""
        if isinstance(event, StepsDone) and self.events and isinstance(self.events[-1], StepsDone):
            self.events.pop()
        self.events.append(event)

    def due(self) -> Iterator[Message]:
        """What is to be sent now; that a trial has started is sent at once."""
        now = time.monotonic()
        if now - self.sent >= self.news_seconds or any(isinstance(event, Started) for event in self.events):
            yield from self.rest()
            yield from self._due_checkpoint(now)

    def rest(self) -> Iterator[Message]:
        """All news that were not sent yet."""
        log = self._new_log()
        if self.events or log:
            yield News(self.events, log)
            self.events, self.sent = [], time.monotonic()

    def _due_checkpoint(self, now: float) -> Iterator[Message]:
        stamp = checkpoint_stamp(self.folder.path)
        pause = max(self.checkpoint_seconds, self.cost * CHECKPOINT_SHARE)
        if stamp == self.checkpoint or now - self.checkpoint_sent < pause:
            return
        began = time.monotonic()
        files = pack_checkpoint(self.folder.path)
        if files:
            yield CheckpointSaved(files)
            self.checkpoint, self.checkpoint_sent = stamp, time.monotonic()
            self.cost = self.checkpoint_sent - began

    def _new_log(self) -> bytes:
        try:
            with self.folder.log.path.open("rb") as stream:
                stream.seek(self.log_position)
                found = stream.read(LOG_BYTES)
        except OSError:
            return b""
        self.log_position += len(found)
        return found
