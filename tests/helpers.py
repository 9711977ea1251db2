"""What several test files share: the root, stored records and bits of a run, IDX files, waiting, signals."""

from __future__ import annotations

import gzip
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]


def records(run: Path) -> list[dict[str, Any]]:
    """The records of a run folder's trials, in the order of their folders."""
    return [json.loads(path.read_text()) for path in sorted(run.glob("trials/*/trial.json"))]


def by_label(run: Path) -> dict[str, dict[str, Any]]:
    """The records of a run whose recipes have one seed each."""
    return {record["label"]: record for record in records(run)}


def bits(run: Path) -> dict[str, tuple[bytes, list[dict[str, Any]]]]:
    """Of every trial what must be the same bits: the arrays of its predictions, its history without the clock."""
    found = {}
    for path in sorted(run.glob("trials/*/predictions.npz")):
        arrays = np.load(path)
        history = [json.loads(line) for line in (path.parent / "history.jsonl").read_text().splitlines()]
        for row in history:
            del row["train_seconds"], row["wall_seconds"]
        found[path.parent.name] = b"".join(arrays[name].tobytes() for name in arrays.files), history
    return found


def packed(content: bytes) -> bytes:
    """Content as a gzip file that does not name the time: as a parameter of a test it is part of the test's name."""
    return gzip.compress(content, mtime=0)


def idx(array: NDArray[Any]) -> bytes:
    """An array of uint8 or int32 in the IDX format."""
    kind = {"uint8": 8, "int32": 12}[array.dtype.name]
    shape = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, kind, array.ndim]) + shape + array.astype(array.dtype.newbyteorder(">")).tobytes()


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


@contextmanager
def signals_here(*numbers: int, when: Callable[[], object]) -> Iterator[None]:
    """Send this process signals, a second apart, the first when something happens.

    One that nothing within waits for does not end the tests, but is an error.
    """
    late: list[int] = []

    def send() -> None:
        wait_for(when)
        for place, number in enumerate(numbers):
            time.sleep(1.0 * (place > 0))
            os.kill(os.getpid(), number)

    before = {number: signal.signal(number, lambda number, frame: late.append(number)) for number in {*numbers}}
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield
        sender.join()
        assert not late, "what was to be stopped had ended before"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
