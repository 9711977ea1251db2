"""What runs on a node of the cluster: a look at the node, and a trial.

A Ray task here loads neither torch nor any plugin's model: `run_job` runs the trial in a process of its own, as
`arena run` does on its own machine. So a plugin that crashes ends only its own process and the cause is reported, GPU
memory is freed with that process, and the next trial of this node starts from a process that has torch loaded.
"""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from mnistarena.executors import (
    Conditions,
    Device,
    Event,
    Parcel,
    Reports,
    Result,
    Started,
    Submission,
    TrialFolder,
    Workers,
    computes_bf16,
    conditions,
    failure,
    host,
    pack_trial,
    processor,
    run_job,
    stamps,
    unique_slug,
    unpack_trial,
)
from mnistarena_ray.compatibility import Requirements, differences
from mnistarena_ray.messages import Message, NodeFacts, TrialEnded, TrialOrder, UnfitNode
from mnistarena_ray.node_storage import NodeStorage
from mnistarena_ray.object_store import files_of
from mnistarena_ray.outbox import Outbox

LISTEN_SECONDS = 0.25
"""How long to wait for the next event before looking at the log and the checkpoint."""


def examine(requirements: Requirements) -> NodeFacts:
    """What this node is, and what differs here from what the driver requires."""
    return NodeFacts(host(), processor(), bf16=computes_bf16(), differences=differences(requirements))


def clean_up(token: str) -> None:
    """Remove what this node keeps for a run that has ended."""
    NodeStorage(token, _node()).remove()


def trial(
    order: TrialOrder,
    stop: Sequence[Any],
    parcel: Parcel,
    arrays: Mapping[str, NDArray[Any]],
    *contents: NDArray[np.uint8],
) -> Iterator[Message]:
    """Run one trial.

    `stop` holds a reference that becomes ready when all trials are to stop. `parcel` has the trial's files that the
    driver has already, `arrays` are those of its dataset, `contents` those of the files that `files_of` names.
    """
    different = differences(order.requirements)
    if different:
        yield UnfitNode(_node(), different)
        return
    with NodeStorage(order.token, _node()) as storage:
        submission = _placed(order, storage, arrays, contents)
        job, folder = submission.job, TrialFolder(submission.job.folder)
        try:
            folder.reset()
            unpack_trial(folder.path, parcel)
            before = stamps(folder.path)
            result = yield from _run(submission, order, _stop_listener(order.token, stop))
            yield TrialEnded({**result, "conditions": job.conditions}, pack_trial(folder.path, unlike=before))
        finally:
            shutil.rmtree(folder.path, ignore_errors=True)
            shutil.rmtree(job.temporary, ignore_errors=True)


def _placed(
    order: TrialOrder,
    storage: NodeStorage,
    arrays: Mapping[str, NDArray[Any]],
    contents: Sequence[NDArray[np.uint8]],
) -> Submission:
    """The submission with this node's paths and conditions, and with the GPU that Ray gave to the task."""
    job = order.submission.job
    files = {
        digest: storage.file(digest, path.name, content)
        for (digest, path), content in zip(files_of(job).items(), contents, strict=True)
    }
    gpus = {name: os.environ[name] for name in ("CUDA_VISIBLE_DEVICES",) if order.gpus and name in os.environ}
    return replace(
        order.submission,
        job=replace(
            job,
            # A checkpoint is used only where the kind of processor is the same: on another, the bits would differ.
            conditions=_conditions(order),
            folder=storage.path / "trials" / job.folder.name,
            temporary=storage.path / "tmp" / job.folder.name,
            data=storage.arrays(unique_slug(str(job.data)), arrays),
            files={digest: files[digest] for digest in job.files},
            plugins=tuple(replace(plugin, path=files[plugin.digest]) for plugin in job.plugins),
            environment={**job.environment, **gpus},
        ),
    )


def _run(submission: Submission, order: TrialOrder, listener: _StopListener) -> Generator[Message, None, Result]:
    """Messages while the trial runs; returns its result."""
    events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
    results: list[Result] = []
    cancelled = threading.Event()

    def tell(key: str, event: Event) -> None:
        events.put(Started(host()) if isinstance(event, Started) else event)

    def stopping() -> int:
        return 2 if cancelled.is_set() else int(listener.stop)

    def work() -> None:
        workers, limit = _workers(order.preload), order.memory_limit
        try:
            results.append(run_job(submission, Reports(tell, stopping), workers=workers, memory_limit=limit))
        except Exception as problem:
            results.append(failure("interrupted", type(problem).__name__, str(problem)))
        finally:
            events.put(None)

    # Ray calls this generator in the task's thread, and has to be answered while the trial runs in another.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    outbox = Outbox(
        TrialFolder(submission.job.folder),
        news_seconds=order.news_seconds,
        checkpoint_seconds=order.checkpoint_seconds,
    )
    try:
        while True:
            with suppress(queue.Empty):
                event = events.get(timeout=LISTEN_SECONDS)
                if event is None:
                    break
                outbox.add(event)
            yield from outbox.due()
        yield from outbox.rest()
        return results[0] if results else {"status": "interrupted"}
    finally:
        cancelled.set()  # where it still runs, the driver does not wait any longer
        thread.join()


def _conditions(order: TrialOrder) -> Conditions:
    """The conditions of a trial on this node."""
    planned = order.submission.job.conditions
    device = planned["device"]
    gpu = _gpu(device, order.preload) if device != "cpu" else None
    return conditions(
        device,
        gpu.device_name if gpu else None,
        bf16=gpu.bf16 if gpu else None,
        threads=planned["threads"],
        jobs=max(1, int(_cpus() // order.cpus)),
    )


# ---- What a process of a node finds out once


def _node() -> str:
    """Ray's identifier of this node."""
    return str(ray.get_runtime_context().get_node_id())


@cache
def _gpu(device: str, preload: tuple[str, ...]) -> Device:
    """The GPU that Ray gives to tasks here; all GPUs of a node are taken to be alike."""
    return _workers(preload).probe(device)


@cache
def _workers(preload: tuple[str, ...]) -> Workers:
    """Where the trials of this process run, one after the other: torch is loaded for the first of them only."""
    return Workers(preload)


@cache
def _cpus() -> float:
    """How many processors of this node Ray gives to tasks."""
    here = _node()
    return next((float(one["Resources"].get("CPU", 1.0)) for one in ray.nodes() if one["NodeID"] == here), 1.0)


# ---- How all trials of a run are asked to stop


class StopSignal:
    """An actor that is set once. All nodes wait for the same answer of it, so that none has to ask repeatedly."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    async def wait(self) -> bool:
        """Answers when it is set."""
        await self._event.wait()
        return True

    async def set(self) -> None:
        """Let all who wait have their answer."""
        self._event.set()


class _StopListener:
    """Waits, in a thread of its own, for the stop signal of a run; then `stop` is true."""

    def __init__(self, reference: Any) -> None:
        self.stop = False
        # A wait in the task's own thread would make Ray take the task for idle, and start another in its place.
        threading.Thread(target=self._wait, args=(reference,), daemon=True).start()

    def _wait(self, reference: Any) -> None:
        with suppress(Exception):  # the signal was lost, with the node it was on: nothing can be asked through it
            self.stop = bool(ray.get(reference))


_listeners: dict[str, _StopListener] = {}


def _stop_listener(token: str, stop: Sequence[Any]) -> _StopListener:
    """The listener of a run; one for all its trials in this process."""
    if token not in _listeners:
        _listeners[token] = _StopListener(stop[0])
    return _listeners[token]
