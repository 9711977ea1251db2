"""What the audit of a dataset costs, which test images it calls copies of training images, which copies it finds."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.rows import Row, seconds
from mnistarena.data.audit import audit, look
from mnistarena.data.draws import draw
from mnistarena.data.duplicates import coefficients
from mnistarena.data.splits import SplitRule
from mnistarena.errors import MissingDataError
from mnistarena.paths import data_dir
from mnistarena.plugin.components import DataContext, Dataset
from mnistarena.plugin.registry import installed

Images = NDArray[np.uint8]

COPIES = 1000


def jpeg(image: Images) -> Images:
    file = io.BytesIO()
    Image.fromarray(image[0]).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file))[None]


def rescaled(image: Images) -> Images:
    _, height, width = image.shape
    larger = Image.fromarray(image[0]).resize((width * 5 // 4, height * 5 // 4), Image.Resampling.BILINEAR)
    return np.asarray(larger.resize((width, height), Image.Resampling.BILINEAR))[None]


def brighter(by: int) -> Callable[[Images], Images]:
    return lambda image: np.clip(image.astype(int) + by, 0, 255).astype(np.uint8)


def shifted(image: Images) -> Images:
    return np.pad(image, ((0, 0), (1, 0), (0, 0)))[:, :-1]


ALTERED = {
    "JPEG of quality 75": jpeg,
    "rescaled by 5/4 and back": rescaled,
    "brighter by 40": brighter(40),
    "darker by 40": brighter(-40),
    "contrast × 0.75": lambda image: (0.75 * image).astype(np.uint8),
    "shifted by one pixel": shifted,
}


def leaked(dataset: Dataset) -> tuple[dict[int, int], int]:
    """The training image of each test image that is a copy of one, and how many of those are equal."""
    splits = {(None, None): draw(dataset, SplitRule(), "")}
    found = audit(dataset, look(dataset), "", draws=splits)["splits"][0]["leaked"]
    return {one["test"]: one["train"] for one in found}, sum("correlation" not in one for one in found)


def signs(images: Images) -> NDArray[np.uint64]:
    """The hash as pHash has it: a bit for each coefficient, which says whether it is above the image's median."""
    found = coefficients(images)
    above = found > np.median(found, axis=1, keepdims=True)
    return np.packbits(np.pad(above, ((0, 0), (0, 1))), axis=1).view(np.uint64)[:, 0]


def measured(name: str, dataset: Dataset, rounds: int) -> Iterator[Row]:
    began = time.process_time()
    times = [seconds(lambda: look(dataset)) for _ in range(rounds)]
    processor = (time.process_time() - began) / rounds
    n, (found, equal) = len(dataset.test_labels), leaked(dataset)
    took = statistics.median(times)
    images = f"{len(dataset.train_labels) + n:,} images"
    yield Row(
        f"{name}: time of the audit, {images}",
        "≤ 2 s" if name == "mnist" else "",
        measured=f"{took:.2f} s ({min(times):.2f} to {max(times):.2f})",
        met=took <= 2 if name == "mnist" else None,
        detail=f"{processor:.2f} s of processor time",
    )
    yield Row(f"{name}: test images equal to a training image", "", measured=f"{equal} of {n:,}", met=None)
    near = len(found) - equal
    yield Row(f"{name}: test images called nearly equal to a training image", "", measured=f"{near} of {n:,}", met=None)
    trained, tested = signs(dataset.train_images), signs(dataset.test_images)
    alike = f"{np.isin(tested, trained).sum():,} of {n:,}"
    yield Row(f"{name}: test images with the hash of a training image, by signs alone", "", measured=alike, met=None)
    rows = np.random.RandomState(0).permutation(len(dataset.train_labels))[:COPIES]
    for what, alter in ALTERED.items():
        copies = np.stack([alter(dataset.train_images[row]) for row in rows])
        found, _ = leaked(replace(dataset, test_images=copies, test_labels=dataset.train_labels[rows]))
        right = sum(found.get(i) == row for i, row in enumerate(rows))
        yield Row(f"{name}: copies found, {what}", "", measured=f"{right:,} of {COPIES:,}", met=None)


def run(rounds: int) -> list[Row]:
    """MNIST, and Fashion-MNIST where it is on this machine (Debian: dataset-fashion-mnist)."""
    rows = []
    for name in ("mnist", "fashion-mnist"):
        definition = installed().get("dataset", name).definition
        try:
            dataset = definition.load(definition.params(), DataContext(data_dir(), download=False))
        except MissingDataError as problem:
            print(f"  {problem}")
            continue
        rows += measured(name, dataset, rounds)
    return rows
