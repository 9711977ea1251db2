"""The cluster's nodes: which there are, what they have, and which would compute something else."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mnistarena.errors import ArenaError
from mnistarena_ray import node
from mnistarena_ray.likeness import Needs

LOOK_SECONDS = 120.0
"""How long a node may take to answer: it starts a process and imports the plugins."""

COUNT_SECONDS = 5.0

DESERTED_SECONDS = 20.0
"""How long nothing may be heard before somebody asks whether anybody is left."""


@dataclass(frozen=True)
class Node:
    """One machine: Ray's identifier, its name, its processor, and what it has in all."""

    id: str
    host: str
    device_name: str
    resources: Mapping[str, float] = field(default_factory=dict)


class Cluster:
    """The nodes seen from the driver. `fit` are those where trials may run."""

    def __init__(self, needs: Needs) -> None:
        self.needs = needs
        self.fit: list[Node] = []
        self.unfit: dict[str, str] = {}
        self._counted = -COUNT_SECONDS
        self._there: list[Mapping[str, float]] = []
        self.quiet_since: float | None = None

    def look(self) -> list[Node]:
        """Look at every node, all at once; the fit ones. Raises `ArenaError` where there is none."""
        asked = {
            one["NodeID"]: (one, _on(one["NodeID"]).remote(self.needs))
            for one in ray.nodes()
            if one["Alive"] and one["Resources"].get("CPU")
        }
        until = time.monotonic() + LOOK_SECONDS
        for identifier, (one, answer) in asked.items():
            host = one["NodeManagerHostname"]
            try:
                found = ray.get(answer, timeout=max(1.0, until - time.monotonic()))
                wrong = found["differences"]
            except ray.exceptions.GetTimeoutError:
                wrong = [f"it did not answer within {LOOK_SECONDS:.0f} s"]
            except Exception as problem:  # it lacks a module that the question itself needs, or went away meanwhile
                cause = getattr(problem, "cause", None) or problem
                wrong = [f"{type(cause).__name__}: {str(cause).strip().splitlines()[-1]}"]
            if wrong:
                self.unfit[identifier] = f"nothing runs on the node {host} ({identifier[:8]}): {'; '.join(wrong)}"
            else:
                self.fit.append(Node(identifier, found["host"], found["device_name"], one["Resources"]))
        if not self.fit:
            raise ArenaError("\n".join(["the cluster has no node where trials can run", *self.unfit.values()]))
        return self.fit

    def refused(self) -> list[str]:
        """A sentence for each node where nothing runs."""
        return list(self.unfit.values())

    def refuse(self, identifier: str, differences: Sequence[str]) -> str:
        """Leave a node out from now on; the sentence that says so."""
        host = next((one["NodeManagerHostname"] for one in ray.nodes() if one["NodeID"] == identifier), "?")
        self.unfit[identifier] = f"nothing runs on the node {host} ({identifier[:8]}): {'; '.join(differences)}"
        return self.unfit[identifier]

    def avoiding(self) -> dict[str, Any]:
        """Options of a task that keep it off the nodes that do not fit; elsewhere Ray spreads tasks as it sees fit."""
        if not self.unfit:
            return {"scheduling_strategy": "SPREAD"}
        return {"label_selector": {"ray.io/node-id": f"!in({','.join(self.unfit)})"}}

    def alive(self) -> list[Mapping[str, float]]:
        """What the nodes of this moment have in all, without those that do not fit."""
        return [one["Resources"] for one in ray.nodes() if one["Alive"] and one["NodeID"] not in self.unfit]

    def places(self, request: Mapping[str, float]) -> int:
        """How many such requests the nodes together have room for, counted every few seconds: nodes come and go."""
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self._counted, self._there = time.monotonic(), self.alive()
        asked = {name: amount for name, amount in request.items() if amount}
        return sum(min(int(node.get(name, 0.0) / amount) for name, amount in asked.items()) for node in self._there)

    def could_take(self, request: Mapping[str, float]) -> bool:
        """Whether some node that is there, or was, has so much in all."""
        known = [one.resources for one in self.fit]
        return any(_has(node, request) for node in known) or any(_has(node, request) for node in self.alive())

    def desertion(self, requests: Sequence[Mapping[str, float]]) -> str:
        """A sentence, once, when for some time no node has been there that could run anything; else nothing."""
        now = time.monotonic()
        if any(_has(node, request) for node in self.alive() for request in requests):
            self.quiet_since = None
        elif self.quiet_since is None:
            self.quiet_since = now
        elif now - self.quiet_since > DESERTED_SECONDS:
            self.quiet_since = float("inf")
            return "no node is left that could run what remains; waiting for one (Ctrl-C stops, and loses nothing)"
        return ""

    def tidy(self, token: str) -> None:
        """Have every node remove what it kept for this run."""
        there = [one["NodeID"] for one in ray.nodes() if one["Alive"] and one["NodeID"] not in self.unfit]
        ray.wait([_on(one, node.tidy).remote(token) for one in there], num_returns=max(1, len(there)), timeout=10)


def _on(identifier: str, function: Any = node.look) -> Any:
    where = NodeAffinitySchedulingStrategy(identifier, soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=where)


def _has(node: Mapping[str, float], request: Mapping[str, float]) -> bool:
    return all(node.get(name, 0.0) >= amount for name, amount in request.items())


def demand(request: Mapping[str, float]) -> str:
    """A request in words: 2 CPUs, 1 GPU and 4.0 GiB of memory."""
    parts = [f"{request['CPU']:g} CPU{'' if request['CPU'] == 1 else 's'}"]
    parts += [f"{request['GPU']:g} GPU{'' if request['GPU'] == 1 else 's'}"] if request["GPU"] else []
    return f"{', '.join(parts)} and {request['memory'] / 2**30:.1f} GiB of memory"
