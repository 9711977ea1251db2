"""Time, memory, FLOPs, latency."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mnistarena.plugin.messages import Latency, Measurements

LATENCY_CALLS = 200
LATENCY_SECONDS = 0.25
LATENCY_LEAST_CALLS = 5


def synchronize(device: torch.device) -> None:
    """Wait for queued device work, so that timings are right."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def count_parameters(model: nn.Module) -> Measurements:
    """`parameters` and `trainable_parameters`."""
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


@torch.inference_mode()
def flops(model: nn.Module, image: torch.Tensor) -> int:
    """Floating-point operations for one image `(1, C, H, W)`; a multiply-add counts as two.

    As torch's FlopCounterMode counts: matrix products, convolutions and attention; the rest counts 0.
    """
    model.eval()
    with FlopCounterMode(display=False) as counter:
        model(image)
    return int(counter.get_total_flops())


def latency(call: Callable[[], Any], device: torch.device) -> Latency:
    """Median and 95th percentile of a call in milliseconds, synchronised, after two warm-up calls.

    200 calls or a quarter of a second, whichever comes first, but at least 5; `calls` says how many it was.
    """
    for _ in range(2):
        call()
    synchronize(device)
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < LATENCY_CALLS:
        if len(times) >= LATENCY_LEAST_CALLS and time.perf_counter() - began > LATENCY_SECONDS:
            break
        start = time.perf_counter()
        call()
        synchronize(device)
        times.append((time.perf_counter() - start) * 1000)
    return Latency(
        p50=float(np.percentile(times, 50)),
        p95=float(np.percentile(times, 95)),
        calls=len(times),
    )


def peak_memory_bytes() -> int:
    """The most resident memory that this process has had (a trial has a process of its own)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


def peak_gpu_memory_bytes(device: torch.device) -> int | None:
    """The most that torch had allocated on a CUDA device; None elsewhere."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None
