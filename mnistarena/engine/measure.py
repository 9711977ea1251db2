"""Time, memory, FLOPs, latency."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import psutil
import torch
from torch import nn

from mnistarena.engine.batches import evaluation_size
from mnistarena.engine.flops import flops
from mnistarena.engine.model_state import auxiliary
from mnistarena.errors import first_line
from mnistarena.plugin.messages import Latency, Measurements
from mnistarena.text import plural

LATENCY_CALLS = 200
LATENCY_SECONDS = 0.25
LATENCY_LEAST_CALLS = 5

P95_CALLS, P95_SECONDS = 60, 1.5
"""The fewest calls that have a 95th percentile: three are beyond it. They are made where they take no longer together.
"""

SLOW_SECONDS = 4.0
"""What the calls of one batch size may take together, as far as that can be foreseen."""

CPU_SHARE, CPU_LEAST_SECONDS = 1.5, 1.0
"""Processor time over threads and wall time from which on they contradict each other; of trainings so long."""

Note = Callable[[str], None]
"""Takes a sentence for the trial's record."""


def synchronize(device: torch.device) -> None:
    """Wait for queued device work, so that timings are right."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def count_parameters(model: nn.Module) -> Measurements:
    """`parameters` and `trainable_parameters`, without those of auxiliary modules."""
    left_out = {id(parameter) for module in auxiliary(model) for parameter in module.parameters()}
    counted = [parameter for parameter in model.parameters() if id(parameter) not in left_out]
    return {
        "parameters": sum(p.numel() for p in counted),
        "trainable_parameters": sum(p.numel() for p in counted if p.requires_grad),
    }


def costs(
    model: nn.Module,
    image_shape: Sequence[int],
    *,
    device: torch.device,
    amp: torch.autocast,
    note: Note,
    memory_format: torch.memory_format = torch.channels_last,
    latency_too: bool = True,
) -> Measurements:
    """`flops_per_image`, `flops_uncounted` and `latency_ms` of a module for inputs `(C, H, W)`, in evaluation mode.

    Without `latency_too`, no latency. What cannot be had is absent, and `note` is told why in a sentence; nothing is
    raised.
    """

    def batch(size: int) -> torch.Tensor:
        images = torch.zeros(size, *image_shape, device=device)
        return images.contiguous(memory_format=memory_format) if images.dim() == 4 else images

    def call(size: int) -> Callable[[], Any]:
        images = batch(size)
        return lambda: model(images)

    found: Measurements = {}
    model.eval()
    with _noting("FLOPs were not counted", note):
        total, uncounted = flops(model, batch(1))
        found["flops_per_image"] = total or None
        if uncounted:
            found["flops_uncounted"] = uncounted
            note(f"FLOPs leave out what cannot be counted: {', '.join(uncounted)}")
    if latency_too:
        with torch.inference_mode(), amp:
            found["latency_ms"] = latencies(call, evaluation_size(image_shape), device, note)
    return found


def latencies(
    call: Callable[[int], Callable[[], Any]], large: int, device: torch.device, note: Note
) -> dict[str, Latency]:
    """The latency of batches of 1 and of `large`, by size; `call(size)` makes what is called.

    That of the larger batch is absent where one call would take longer than `SLOW_SECONDS`, and either where it raises;
    `note` is told.
    """
    found: dict[str, Latency] = {}
    for size in dict.fromkeys((1, large)):
        with _noting(f"the latency of a batch of {size} was not measured", note):
            if size > 1 and (seconds := _at_least(call, size, device)) is not None:
                note(f"the latency of a batch of {size} was not measured: a call would take about {seconds:.0f} s")
                continue
            found[str(size)] = latency(call(size), device)
    return found


def _at_least(call: Callable[[int], Callable[[], Any]], large: int, device: torch.device) -> float | None:
    """About how many seconds a large batch takes where that is too long; found by smaller ones, four times as large."""
    size = 1
    while size < large:
        seconds = timed(call(size), device)
        if seconds * min(4, large / size) > SLOW_SECONDS:
            return seconds * large / size
        if seconds * large / size <= SLOW_SECONDS:  # a batch is no slower than its images one by one
            return None
        size *= 4
    return None


def latency(call: Callable[[], Any], device: torch.device) -> Latency:
    """Median and 95th percentile of a call in milliseconds, synchronised, after two warm-up calls.

    200 calls or a quarter of a second, whichever comes first, but at least 5; fewer, and at least 1, where they would
    take longer than `SLOW_SECONDS` together. There are 60 in any case where these take at most 1.5 s, since fewer have
    no 95th percentile. `calls` says how many it was.
    """
    times = [timed(call, device)]
    if times[0] < SLOW_SECONDS / 8:
        timed(call, device)
    if times[0] < SLOW_SECONDS / 2:  # of a slower one, the first call is the one that is measured
        times = []
    began = time.perf_counter()
    while len(times) < LATENCY_CALLS:
        spent = time.perf_counter() - began
        enough = LATENCY_SECONDS if len(times) >= LATENCY_LEAST_CALLS else SLOW_SECONDS / 2
        if times and spent > enough and not _reaches_p95(len(times), spent):
            break
        if times and times[0] >= SLOW_SECONDS / 2:
            break
        times.append(timed(call, device))
    return latency_of(times)


def _reaches_p95(calls: int, spent: float) -> bool:
    """Whether further calls make enough for a 95th percentile, and soon."""
    return calls < P95_CALLS and spent / calls * P95_CALLS <= P95_SECONDS


def latency_of(times: Sequence[float]) -> Latency:
    """The latency of calls that took so many seconds; its `p95` is None of fewer than 60."""
    milliseconds = [1000 * one for one in times]
    p95 = float(np.percentile(milliseconds, 95)) if len(times) >= P95_CALLS else None
    return Latency(p50=float(np.percentile(milliseconds, 50)), p95=p95, calls=len(times))


def timed(call: Callable[[], Any], device: torch.device) -> float:
    """Seconds of a call, synchronised."""
    synchronize(device)
    began = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - began


@contextmanager
def _noting(what: str, note: Note) -> Iterator[None]:
    # A measurement is worth less than the training that it comes after.
    try:
        yield
    except Exception as problem:
        note(f"{what}: {type(problem).__name__}: {first_line(problem)}")


def cpu_seconds(*, living: bool = False) -> float:
    """Processor time of this process and of those it started that have ended; with `living`, of those that run, too."""
    times = os.times()
    found = time.process_time() + times.children_user + times.children_system
    if living:
        with suppress(psutil.Error):
            for child in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    used = child.cpu_times()
                    found += used.user + used.system
    return found


def contradiction(cpu: float, seconds: float, threads: int) -> str | None:
    """A sentence where a training used more processor time than its threads could have, else None."""
    if seconds < CPU_LEAST_SECONDS or cpu <= CPU_SHARE * threads * seconds:
        return None
    return (
        f"its training used {cpu:.1f} s of processor time in {seconds:.1f} s, more than {plural(threads, 'thread')} "
        "could: its times are not those of the threads that are recorded"
    )


def peak_gpu_memory_bytes(device: torch.device) -> int | None:
    """The most that torch had allocated on a CUDA device; None elsewhere."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None
