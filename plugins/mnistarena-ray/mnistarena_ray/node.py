"""What runs on a node of the cluster: a look at it, and a trial, in a fresh process under the core's own supervisor.

A Ray task here never loads torch, nor any plugin's `build`: it supervises, as `arena run` does on its own machine. So a
plugin's crash costs its own process and is told with its cause, GPU memory goes with that process, and the next
trial of this node finds torch loaded in the process that it starts from.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

import ray

from mnistarena import environment
from mnistarena.files import unique_slug
from mnistarena.interrupts import Interrupts
from mnistarena.job import Job, Reports, Result, Task
from mnistarena.parcel import Parcel, pack, pack_checkpoint, stamps, unpack
from mnistarena.supervise import Supervisor, failure
from mnistarena.trialfolder import TrialFolder
from mnistarena.worker import Workers
from mnistarena_ray.likeness import Needs, differences
from mnistarena_ray.space import Space

Message = dict[str, Any]
"""What a trial sends: `events`, new bytes of its `log`, a `checkpoint`, or the end: `result`, `files`, `conditions`."""

LISTEN_SECONDS = 0.25
"""How long to wait for the next event before looking at the log, the checkpoint and the bell."""

SHARE = 20
"""Sending checkpoints takes at most one part in this many of a training's time."""

LOG_BYTES = 64 << 10
"""What one message holds of a trial's output; all of it comes with the result."""

_workers: Workers | None = None


def look(needs: Needs) -> dict[str, Any]:
    """What there is on this node, and what differs from what the driver needs."""
    return {
        "host": environment.conditions("", None, 0, 0)["host"],
        "device_name": environment.processor(),
        "differences": differences(needs),
    }


def trial(
    task: Task,
    needs: Needs,
    token: str,
    limits: Mapping[str, Any],
    stop: list[Any],
    parcel: Parcel,
    data: Mapping[str, Any],
    *weights: Any,
) -> Iterator[Message]:
    """Run one trial. `stop` holds a reference that becomes ready when all are to stop; `data` are the arrays of its
    dataset, `weights` the contents of `task.job.files`, `parcel` what the driver has of it already."""
    unfit = differences(needs)
    if unfit:
        yield {"unfit": unfit, "node": ray.get_runtime_context().get_node_id()}
        return
    with Space(token, ray.get_runtime_context().get_node_id()) as space:
        here = _at_home(task, space, data, weights, limits)
        folder = TrialFolder(here.job.folder)
        shutil.rmtree(folder.path, ignore_errors=True)
        folder.prepare()
        unpack(folder.path, parcel)
        before = stamps(folder.path)
        try:
            result = yield from _supervised(here, folder, limits, _Ear.of(token, stop))
            yield {"result": result, "files": pack(folder.path, unlike=before), "conditions": here.job.conditions}
        finally:
            shutil.rmtree(folder.path, ignore_errors=True)
            shutil.rmtree(here.job.temporary, ignore_errors=True)


def _at_home(
    task: Task, space: Space, data: Mapping[str, Any], weights: tuple[Any, ...], limits: Mapping[str, Any]
) -> Task:
    """The task with this node's paths, and the GPU that Ray gave it."""
    job = task.job
    name = f"{unique_slug(str(job.data))}"
    files = {
        digest: space.file(digest, path.name, content)
        for (digest, path), content in zip(job.files.items(), weights, strict=True)
    }
    seen = {key: os.environ[key] for key in ("CUDA_VISIBLE_DEVICES",) if limits["gpus"] and key in os.environ}
    own = job.folder.name
    return replace(
        task,
        job=replace(
            job,
            # A checkpoint of another kind of processor is none for this one: its bits would be others.
            conditions=_conditions(job, limits),
            folder=space.path / "trials" / own,
            temporary=space.path / "tmp" / own,
            data=space.arrays(name, data),
            files=files,
            environment={**job.environment, **seen},
        ),
    )


def _supervised(
    task: Task, folder: TrialFolder, limits: Mapping[str, Any], ear: _Ear
) -> Generator[Message, None, Result]:
    """News while the trial runs; returns its result."""
    workers = _local_workers()
    host = environment.conditions("", None, 0, 0)["host"]
    news: queue.SimpleQueue[Message] = queue.SimpleQueue()
    interrupts = Interrupts()

    def supervise() -> None:
        reports = Reports(lambda key, event: news.put({**event, "host": host}))
        supervisor = Supervisor(workers, 1, reports, memory_limit=limits["memory_limit"], interrupts=interrupts)
        try:
            for _, result in supervisor.results(iter([task])):
                news.put({"end": result})
        except KeyboardInterrupt:
            pass  # asked to stop, and done
        except Exception as problem:
            news.put({"end": failure("interrupted", type(problem).__name__, str(problem))})
        news.put({"end": {"status": "interrupted"}})

    # Not the main thread, which hears Ray; signals are Ray's here.
    thread = threading.Thread(target=supervise, daemon=True)
    thread.start()
    outbox = _Outbox(folder, limits["news_seconds"], limits["checkpoint_seconds"])
    try:
        result: Result | None = None
        while result is None:
            try:
                event = news.get(timeout=LISTEN_SECONDS)
                if "end" in event:
                    result = event["end"]
                else:
                    outbox.add(event)
            except queue.Empty:
                pass
            if result is None:
                yield from outbox.due()
            if not interrupts.count and ear.rung:
                interrupts.ask()
        yield from outbox.due(last=True)
        return result
    finally:
        if thread.is_alive():  # cancelled: the driver has no patience left
            interrupts.ask()
            interrupts.ask()
            thread.join()


class _Ear:
    """Hears, in a thread of its own, whether a run is to stop; one for all trials that this process runs of it.

    Waiting in the task's own thread would make Ray take the task for idle, and start another in its place.
    """

    _of: ClassVar[dict[str, _Ear]] = {}

    def __init__(self, stop: Any) -> None:
        self.rung = False
        threading.Thread(target=self._listen, args=(stop,), daemon=True).start()

    @classmethod
    def of(cls, token: str, stop: list[Any]) -> _Ear:
        """That of a run."""
        if token not in cls._of:
            cls._of[token] = cls(stop[0])
        return cls._of[token]

    def _listen(self, stop: Any) -> None:
        try:
            self.rung = bool(ray.get(stop))
        except Exception:
            self.rung = False  # a bell that was lost with its node says nothing any more


class _Outbox:
    """Collects a trial's news and lets them go at a bearable rate: `news` and `between` are the least seconds between
    two messages and between two checkpoints."""

    def __init__(self, folder: TrialFolder, news: float, between: float) -> None:
        self.folder, self.news, self.between = folder, news, between
        self.events: list[Message] = []
        self.sent, self.last_checkpoint = time.monotonic(), 0.0
        self.cost = 0.0
        self.log_at = folder.log.stat().st_size if folder.log.is_file() else 0
        self.checkpoint = self._checkpoint_stamp()

    def add(self, event: Message) -> None:
        """Of steps only the last counts."""
        if event["event"] == "step" and self.events and self.events[-1]["event"] == "step":
            self.events.pop()
        self.events.append(event)

    def due(self, *, last: bool = False) -> Iterator[Message]:
        """What is to be sent now."""
        now = time.monotonic()
        started = any(event["event"] == "started" for event in self.events)
        if now - self.sent < self.news and not started and not last:
            return
        log = self._new_log()
        if self.events or log:
            yield {"events": self.events, "log": log}
            self.events, self.sent = [], now
        if last:
            return
        stamp = self._checkpoint_stamp()
        if stamp != self.checkpoint and now - self.last_checkpoint >= max(self.between, self.cost * SHARE):
            parcel = pack_checkpoint(self.folder.path)
            if parcel:
                yield {"checkpoint": parcel}
                self.checkpoint, self.last_checkpoint = stamp, time.monotonic()
                self.cost = self.last_checkpoint - now

    def _checkpoint_stamp(self) -> Any:
        return stamps(self.folder.path).get("checkpoint.json")

    def _new_log(self) -> bytes:
        try:
            with self.folder.log.open("rb") as stream:
                stream.seek(self.log_at)
                found = stream.read(LOG_BYTES)
        except OSError:
            return b""
        self.log_at += len(found)
        return found


def _conditions(job: Job, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Where the trial really runs."""
    device = job.conditions["device"]
    beside = max(1, int(_cpus() // limits["cpus"]))
    return environment.conditions(device, _gpu(device) if device != "cpu" else None, job.conditions["threads"], beside)


@cache
def _gpu(device: str) -> str | None:
    """The name of the GPU that Ray gives to tasks here; a node's are taken to be alike."""
    return _local_workers().probe(device).get("device_name")


def _local_workers() -> Workers:
    global _workers
    _workers = _workers or Workers()
    return _workers


@cache
def _cpus() -> float:
    """What Ray shares out of this node's processors."""
    here = ray.get_runtime_context().get_node_id()
    return next((float(one["Resources"].get("CPU", 1.0)) for one in ray.nodes() if one["NodeID"] == here), 1.0)


def tidy(token: str) -> None:
    """Remove what this node keeps for a run that has ended."""
    Space(token, ray.get_runtime_context().get_node_id()).remove()


class Bell:
    """An actor that rings once: everybody waits for the same answer, and nobody has to ask for it again."""

    def __init__(self) -> None:
        import asyncio

        self.rung = asyncio.Event()

    async def heard(self) -> bool:
        """Answers when it has rung."""
        await self.rung.wait()
        return True

    async def ring(self) -> None:
        """Ring."""
        self.rung.set()
