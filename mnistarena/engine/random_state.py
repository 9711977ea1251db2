"""The random streams of a process (torch's, NumPy's and Python's): seeded, captured and restored together."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

State = dict[str, Any]
"""Where Python's and NumPy's streams stand, as JSON."""


def seed_everything(seed: int) -> None:
    """Seed every generator that a model's initialisation or its dropout may use."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def seed_streams(seed: int, device: torch.device) -> None:
    """Seed what `capture_streams` captures; torch.manual_seed, for all devices, takes 50 times as long."""
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def kept_streams(device: torch.device) -> Iterator[None]:
    """Whatever happens within, every stream stands afterwards where it stood."""
    state, tensors = capture_streams(device)
    try:
        yield
    finally:
        restore_streams(state, tensors, device)


def capture_streams(device: torch.device) -> tuple[State, dict[str, torch.Tensor]]:
    """Where every stream stands: a JSON part and tensors."""
    version, internal, gauss = random.getstate()
    legacy: Any = np.random.get_state(legacy=False)
    tensors = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        tensors["mps"] = torch.mps.get_rng_state()
    numpy_state = {**legacy, "state": {"key": legacy["state"]["key"].tolist(), "pos": int(legacy["state"]["pos"])}}
    return {"python": [version, list(internal), gauss], "numpy": numpy_state}, tensors


def restore_streams(state: State, tensors: dict[str, torch.Tensor], device: torch.device) -> None:
    """Set every stream to where `capture_streams` found it."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    key = np.array(state["numpy"]["state"]["key"], np.uint32)
    np.random.set_state({**state["numpy"], "state": {"key": key, "pos": state["numpy"]["state"]["pos"]}})
    torch.set_rng_state(tensors["cpu"])
    if "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"], device)
    if "mps" in tensors:
        torch.mps.set_rng_state(tensors["mps"])


@contextmanager
def streams_kept(device: torch.device) -> Iterator[None]:
    """What is drawn or seeded inside leaves every stream as it was."""
    before = capture_streams(device)
    try:
        yield
    finally:
        restore_streams(*before, device)
