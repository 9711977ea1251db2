"""What the driver and the nodes send each other: plain data, made on one machine and read on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.executors import Event, Parcel, Result, Submission
from mnistarena_ray.compatibility import Requirements

# ---- From the driver to a node


@dataclass(frozen=True)
class TrialOrder:
    """A trial that a node is to run, and how.

    `token` names the run. `cpus` and `gpus` are what Ray sets aside for the trial; `memory_limit` is in bytes.
    `preload` are modules that all trials of the run import.
    `news_seconds` and `checkpoint_seconds` are the shortest times between two messages and between two checkpoints.
    """

    submission: Submission
    requirements: Requirements
    _: KW_ONLY
    token: str
    cpus: float
    gpus: float
    memory_limit: int | None
    preload: tuple[str, ...]
    news_seconds: float
    checkpoint_seconds: float


# ---- From a node to the driver


@dataclass(frozen=True)
class NodeFacts:
    """A node's name in the network, its processor, whether that has bf16, and what differs from the driver's."""

    host: str
    device_name: str
    _: KW_ONLY
    bf16: bool
    differences: Sequence[str]


@dataclass(frozen=True)
class News:
    """What a trial reported, and what it printed, since the message before."""

    events: Sequence[Event]
    log: bytes


@dataclass(frozen=True)
class CheckpointSaved:
    """A new checkpoint of a training that runs."""

    files: Parcel


@dataclass(frozen=True)
class TrialEnded:
    """The last message of a trial: its result, and its files, without those that the driver sent."""

    result: Result
    files: Parcel


@dataclass(frozen=True)
class UnfitNode:
    """The last message where the trial did not run: Ray's identifier of the node, and what differs there."""

    node: str
    differences: Sequence[str]


Message = News | CheckpointSaved | TrialEnded | UnfitNode
"""What the task of a trial yields."""
