"""Images that do not fit in memory: batches from a mapped file and from memory; 200,000 images in 1 GiB"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from benchmarks.rows import Row, at_most, take_turns
from mnistarena.data import large
from mnistarena.engine.batches import Batches
from mnistarena.engine.chain import Chain
from mnistarena.plugin.components import Task

IMAGES, TEST, SHAPE = 200_000, 2_000, (3, 64, 64)
LIMIT = 1 << 30
BATCHES = 400
PLUGIN = f'''
import numpy as np
from mnistarena import Dataset, DatasetDef, Params, hookimpl

class NoParams(Params):
    """No parameters."""

def load(params, context):
    images = np.load(context.path("images.npy"), mmap_mode="r")
    labels = np.load(context.path("labels.npy"))
    train, test = slice(0, {IMAGES}), slice({IMAGES}, None)
    return Dataset(
        images[train], labels[train], test_images=images[test], test_labels=labels[test], class_names=tuple("abcd")
    )

@hookimpl
def arena_datasets():
    return [DatasetDef("large", "noise with a bright band, 4 classes", params=NoParams, load=load)]
'''
SPEC = """
plugins = ["large_data.py"]
[benchmark]
name = "Large"
[[dataset]]
name = "large"
validation = 1000
transforms = ["normalize"]
[[model]]
name = "cnn"
params = { channels = [8, 8] }
[training]
steps = 300
"""


def write(folder: Path) -> None:
    """The spec, its plugin, and its images: noise, with a band at a height that says the class."""
    random = np.random.default_rng(0)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (IMAGES + TEST, *SHAPE))
    labels = random.integers(0, 4, len(images))
    for start in range(0, len(images), 2000):
        part = random.integers(0, 200, (2000, *SHAPE), dtype=np.uint8)
        for row, label in enumerate(labels[start : start + 2000]):
            part[row, :, 16 * label : 16 * label + 8] += np.uint8(50)
        images[start : start + 2000] = part
    np.save(folder / "labels.npy", labels)
    (folder / "large_data.py").write_text(PLUGIN)
    (folder / "spec.toml").write_text(SPEC)


def limited(folder: Path) -> tuple[bool, str]:
    """Whether the whole command succeeds where each of its processes may have 1 GiB of its own, and what it took."""
    done = subprocess.run(
        [sys.executable, "-m", "mnistarena", "run", "spec.toml", "--out", "run"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode:
        return False, (done.stderr or done.stdout).strip().splitlines()[-1]
    trial = json.loads(next((folder / "run").glob("trials/*/trial.json")).read_text())
    accuracy, seconds = trial["metrics"]["accuracy"], trial["measurements"]["train_seconds"]
    return True, f"accuracy {accuracy:.4f} after 300 steps of 64, {seconds:.0f} s of training"


def batches(images: np.ndarray, *, mapped: bool) -> float:
    """Images a second, in random order, as float batches of 64."""
    task = Task(SHAPE, 4, class_names=tuple("abcd"), n_train=len(images))
    with mock.patch.object(large, "SHARE", 0.0 if mapped else 1.0):
        split = Batches(
            images, np.zeros(len(images), np.int64), chain=Chain([], task), device=torch.device("cpu"), keep=False
        )
    epoch = split.epoch(64, 1, 2)
    next(epoch)
    start = time.perf_counter()
    for _ in range(BATCHES):
        next(epoch)
    return 64 * BATCHES / (time.perf_counter() - start)


def run(rounds: int) -> list[Row]:
    """Batches from a file that the system keeps in its cache, and a whole run in little memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        done, detail = limited(folder)
        images = np.load(folder / "images.npy", mmap_mode="r")[:60_000]
        turns = take_turns(
            {"file": partial(batches, images, mapped=True), "memory": partial(batches, images, mapped=False)}, rounds
        )
    return [
        Row(
            f"{IMAGES:,} images of 3 × 64 × 64, each process limited to 1 GiB",
            "trained",
            "yes" if done else "no",
            done,
            detail,
        ),
        at_most(
            "time of a batch, images in a file against in memory",
            turns.ratios("memory", "file"),
            1.5,
            turns.told(("file", "memory"), "images/s"),
        ),
    ]
