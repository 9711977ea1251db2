"""The cluster's nodes: which there are, what they have, and on which of them figures would differ."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mnistarena import ArenaError
from mnistarena_ray import node
from mnistarena_ray.compatibility import Requirements
from mnistarena_ray.messages import NodeFacts

ANSWER_SECONDS = 120.0
"""How long a node may take to answer: it starts a process and imports the plugins."""

CLEAN_UP_SECONDS = 10.0
"""How long all nodes together may take to remove what they kept."""

COUNT_SECONDS = 5.0
"""How old the list of nodes may be from which places are counted: nodes come and go."""

EMPTY_SECONDS = 20.0
"""How long no node may be there that could run a trial before the user is told."""

Request = Mapping[str, float]
"""What a trial asks Ray for: "CPU" and "GPU", which may be a share of one, and "memory" in bytes."""


@dataclass(frozen=True)
class Node:
    """One machine: Ray's identifier, its name in the network, its processor, and what it has in all.

    `bf16`: its processor computes in bfloat16 itself.
    """

    id: str
    host: str
    _: KW_ONLY
    device_name: str
    bf16: bool = False
    resources: Mapping[str, float] = field(default_factory=dict)


class Cluster:
    """The nodes as the driver knows them. `fit` are those that may run trials, `unfit` says why others may not."""

    def __init__(self, requirements: Requirements) -> None:
        self.requirements = requirements
        self.fit: list[Node] = []
        self.unfit: dict[str, str] = {}
        self._counted = -math.inf
        self._available: list[Mapping[str, float]] = []
        self._empty_since: float | None = None

    # ---- Which nodes may run trials

    def examine(self) -> list[Node]:
        """Ask every node what it is, all at once; returns the fit ones. Raises `ArenaError` where there is none."""
        asked = {
            one["NodeID"]: (one, _on(one["NodeID"], node.examine).remote(self.requirements))
            for one in ray.nodes()
            if one["Alive"] and one["Resources"].get("CPU")
        }
        until = time.monotonic() + ANSWER_SECONDS
        for identifier, (one, answer) in asked.items():
            differences: Sequence[str]
            try:
                facts: NodeFacts = ray.get(answer, timeout=max(1.0, until - time.monotonic()))
                differences = facts.differences
            except ray.exceptions.GetTimeoutError:
                differences = [f"it did not answer within {ANSWER_SECONDS:.0f} s"]
            except Exception as problem:  # it lacks a module that the question itself needs, or was lost meanwhile
                differences = [describe(problem)]
            if differences:
                self.exclude(identifier, differences)
            else:
                self.fit.append(
                    Node(
                        identifier,
                        facts.host,
                        device_name=facts.device_name,
                        bf16=facts.bf16,
                        resources=one["Resources"],
                    )
                )
        if not self.fit:
            raise ArenaError("\n".join(["the cluster has no node where trials can run", *self.unfit.values()]))
        return self.fit

    def exclude(self, identifier: str, differences: Sequence[str]) -> str:
        """Run nothing on a node from now on; returns the sentence that says so."""
        host = next((one["NodeManagerHostname"] for one in ray.nodes() if one["NodeID"] == identifier), "?")
        self.unfit[identifier] = f"nothing runs on the node {host} ({identifier[:8]}): {'; '.join(differences)}"
        return self.unfit[identifier]

    def scheduling_options(self) -> dict[str, Any]:
        """Options of a task that keep it off the unfit nodes; where all are fit, Ray spreads tasks over them."""
        if not self.unfit:
            return {"scheduling_strategy": "SPREAD"}
        return {"label_selector": {"ray.io/node-id": f"!in({','.join(self.unfit)})"}}

    # ---- What the nodes have

    def alive(self) -> list[Mapping[str, float]]:
        """What each node that is there now has in all, without the unfit ones."""
        return [one["Resources"] for one in ray.nodes() if one["Alive"] and one["NodeID"] not in self.unfit]

    def places(self, request: Request) -> int:
        """How many such requests the nodes have room for, all together."""
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self._counted, self._available = time.monotonic(), self.alive()
        asked = {name: amount for name, amount in request.items() if amount}
        return sum(min(int(has.get(name, 0.0) / amount) for name, amount in asked.items()) for has in self._available)

    def could_take(self, request: Request) -> bool:
        """Whether some node that is there, or was there at the start, has so much in all."""
        return any(_has(one.resources, request) for one in self.fit) or any(_has(one, request) for one in self.alive())

    def notice_if_empty(self, requests: Sequence[Request]) -> str:
        """A sentence, once, when for some time no node was there that could run anything; otherwise empty."""
        now = time.monotonic()
        if any(_has(one, request) for one in self.alive() for request in requests):
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = now
        elif now - self._empty_since > EMPTY_SECONDS:
            self._empty_since = math.inf
            return "no node is left that could run what remains; waiting for one (Ctrl-C stops, and loses nothing)"
        return ""

    def clean_up(self, token: str) -> None:
        """Have every node remove what it kept for this run."""
        there = [one["NodeID"] for one in ray.nodes() if one["Alive"] and one["NodeID"] not in self.unfit]
        answers = [_on(one, node.clean_up).remote(token) for one in there]
        ray.wait(answers, num_returns=max(1, len(there)), timeout=CLEAN_UP_SECONDS)


def _on(identifier: str, function: Any) -> Any:
    """The function as a task of one node."""
    where = NodeAffinitySchedulingStrategy(identifier, soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=where)


def _has(resources: Mapping[str, float], request: Request) -> bool:
    return all(resources.get(name, 0.0) >= amount for name, amount in request.items())


# ---- In words


def describe(problem: Exception) -> str:
    """What a task raised on its node, in one line."""
    cause = getattr(problem, "cause", None) or problem
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[-1]}" if lines else type(cause).__name__


def in_words(request: Request) -> str:
    """A request for people: "2 CPUs, 1 GPU and 4.0 GiB of memory"."""
    parts = [f"{request['CPU']:g} CPU{'' if request['CPU'] == 1 else 's'}"]
    parts += [f"{request['GPU']:g} GPU{'' if request['GPU'] == 1 else 's'}"] if request["GPU"] else []
    return f"{', '.join(parts)} and {request['memory'] / 2**30:.1f} GiB of memory"
