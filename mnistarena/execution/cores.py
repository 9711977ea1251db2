"""Processor cores for a trial alone, so that what computes with more threads than it was given disturbs no other."""

from __future__ import annotations

import os
import random
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SYSTEM = Path("/sys/devices/system/cpu")

ALIKE = 0.9
"""Cores are alike where the slowest has at least this part of the fastest one's highest frequency."""


@dataclass(frozen=True)
class Share:
    """Cores, by number, and the claims that keep other runs on this machine from taking them as well."""

    cores: frozenset[int]
    claims: tuple[socket.socket, ...]

    def release(self) -> None:
        """Let others take them."""
        for claim in self.claims:
            claim.close()


class Cores:
    """The cores that this process may use, to be shared out; on Linux only.

    Make it some time before the first `take`: how busy each core was meanwhile tells which are free.
    """

    def __init__(self) -> None:
        self.allowed: list[int] = []
        if sys.platform == "linux" and hasattr(os, "sched_getaffinity"):
            self.allowed = sorted(os.sched_getaffinity(0))
        if not _alike(self.allowed):  # the system knows better which program is on a fast core
            self.allowed = []
        self.siblings = {core: _siblings(core) for core in self.allowed}
        self._before = psutil.cpu_times(percpu=True) if self.allowed else []

    def take(self, n: int) -> Share | None:
        """`n` cores that no trial of any run has, the least busy ones.

        None where there is nothing to choose, or not as many are left: the trial then runs wherever there is room.
        """
        if not 0 < n < len(self.allowed):
            return None
        busy, chosen = self._busy(), dict[int, socket.socket]()
        waiting = sorted(self.allowed, key=lambda core: random.random())
        while waiting and len(chosen) < n:
            # Two cores that are one in truth (hyper-threads) do the work of little more than one.
            core = min(
                waiting,
                key=lambda core: (
                    not self.siblings[core].isdisjoint(chosen),
                    round(sum(busy.get(one, 0.0) for one in self.siblings[core]), 1),
                ),
            )
            waiting.remove(core)
            claim = _claim(core)
            if claim is not None:
                chosen[core] = claim
        share = Share(frozenset(chosen), tuple(chosen.values()))
        if len(chosen) == n:
            return share
        share.release()
        return None

    def _busy(self) -> dict[int, float]:
        """How much of its time each core worked since the last look, 0 to 1; empty where that cannot be told."""
        now = psutil.cpu_times(percpu=True)
        found = {}
        if len(now) == len(self._before) > max(self.allowed):
            for core in self.siblings:
                spent = [b - a for a, b in zip(self._before[core], now[core], strict=True)]
                idle = now[core].idle - self._before[core].idle
                found[core] = 1 - idle / sum(spent) if sum(spent) > 0 else 0.0
        self._before = now
        return found


def _claim(core: int) -> socket.socket | None:
    """A claim to a core, which ends with this process at the latest; None where another run has it."""
    if sys.platform != "linux":  # others have no abstract names
        return None
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0mnistarena-core-{core}")  # an abstract name: there is no file
    except OSError:
        claim.close()
        return None
    return claim


def _siblings(core: int) -> frozenset[int]:
    """The core and those that share its execution units."""
    found = {core}
    with suppress(OSError, ValueError):
        for part in (SYSTEM / f"cpu{core}/topology/thread_siblings_list").read_text().strip().split(","):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _alike(cores: list[int]) -> bool:
    """Whether the cores are of one kind, as far as the system says."""
    frequencies = []
    for core in cores:
        with suppress(OSError, ValueError):
            frequencies.append(int((SYSTEM / f"cpu{core}/cpufreq/cpuinfo_max_freq").read_text()))
    return not frequencies or min(frequencies) >= ALIKE * max(frequencies)
