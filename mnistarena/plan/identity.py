"""The identity of a trial: what was asked for, fully resolved, and the short name that is its hash.

Trials of equal identity under equal conditions (device, threads, versions) compute equal bits, so a finished one is
not run again.
"""

from __future__ import annotations

import hashlib
import json

from mnistarena.plugin.messages import Identity

ENGINE = "3"
"""The engine's version, part of every identity: raised when the engine computes other numbers from the same spec."""


def identify(identity: Identity) -> str:
    """The short name of an identity: 16 hex digits of its SHA-256."""
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
