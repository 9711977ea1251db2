"""Data that lives on the device as uint8: index, transform, yield. No DataLoader, no worker, no copy back."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mnistarena.data.large import is_large
from mnistarena.engine.chain import Chain
from mnistarena.errors import TrialError
from mnistarena.plugin.components import Shape

CACHE_BYTES = 1 << 30
"""Deterministically transformed images are kept whole up to this size; fixed, so that it never depends
on how much memory happens to be free."""

EVALUATION_VALUES = 1 << 21
"""Input values (images × C × H × W) in one evaluation batch."""

EVALUATION_IMAGES = 256
"""Images in one at most: of more, a small net's feature maps leave the processor's cache, at up to twice the time."""


def evaluation_size(shape: Sequence[int]) -> int:
    """Images of a shape in one evaluation batch."""
    return max(1, min(EVALUATION_IMAGES, EVALUATION_VALUES // math.prod(shape)))


def fits(n: int, shape: Shape) -> bool:
    """Whether n transformed images of a shape are few enough to be kept."""
    return n * math.prod(shape) * 4 <= CACHE_BYTES


def _mapped(images: NDArray[np.uint8]) -> torch.Tensor:
    """Images as they lie in their file, which only those that a batch needs are read from."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(images)


class Batches:
    """A split on the device; where it is large it stays in its file, and batches are taken from there.

    `images` uint8 `(n, C, H, W)`, `labels` int64 `(n,)` or None where there are none to show.
    With `keep`, the head of the chain is applied once and its result kept, if that fits `CACHE_BYTES`.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64] | None,
        *,
        chain: Chain,
        device: torch.device,
        keep: bool,
    ) -> None:
        self.chain, self.device, self.n = chain, device, len(images)
        self.labels = None if labels is None else torch.from_numpy(np.array(labels)).to(device)
        self.generator = torch.Generator(device)
        self.evaluation_size = evaluation_size(chain.task.image_shape)
        stored = _mapped(images) if is_large(images.nbytes) else torch.from_numpy(np.array(images)).to(device)
        self.kept = keep and fits(self.n, chain.task.image_shape)
        if self.kept:
            parts = [self.chain.apply_head(part.to(device), self.generator) for part in stored.split(1024)]
            stored = torch.cat(parts)
        self.stored = stored

    def _batch(self, rows: torch.Tensor | slice, training: bool) -> torch.Tensor:
        if isinstance(rows, slice):
            images = self.stored[rows].to(self.device)
        else:
            images = self.stored.index_select(0, rows.to(self.stored.device)).to(self.device)
        if not self.kept:
            images = self.chain.apply_head(images, self.generator)
        images = self.chain.apply_tail(images, self.generator, training)
        return images.contiguous(memory_format=self.chain.memory_format) if images.dim() == 4 else images

    def mapped(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Batches | None:
        """The same split with `function` applied to every image once, without random transforms.

        None where the results together are larger than `CACHE_BYTES`.
        """
        twin = copy.copy(self)
        twin.chain, twin.kept = Chain([], self.chain.task), True
        parts: list[torch.Tensor] = []
        for images, _ in self.in_order():
            parts.append(function(images))
            if parts[0].nbytes * self.n > CACHE_BYTES * len(parts[0]):
                return None
        twin.stored = torch.cat(parts)
        return twin

    def epoch(
        self,
        batch_size: int,
        order_seed: int,
        augment_seed: int,
        done: int = 0,
        *,
        drop_last: bool = False,
        balanced: bool = False,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every image once in an order drawn from `order_seed`; the last batch may be smaller, or is left out.

        With `balanced` as many images are drawn with replacement, of every class as many on average. An epoch that
        goes on after `done` batches finds the generator as it was restored.
        """
        assert self.labels is not None
        # Drawn on the CPU, so that the order is the same on every device.
        order_generator = torch.Generator().manual_seed(order_seed)
        if balanced:
            labels = self.labels.cpu()
            weights = 1 / labels.bincount().double()[labels]
            order = torch.multinomial(weights, self.n, replacement=True, generator=order_generator).to(self.device)
        else:
            order = torch.randperm(self.n, generator=order_generator).to(self.device)
        if done == 0:
            self.generator.manual_seed(augment_seed)
        for rows in order.split(batch_size)[done : self.per_epoch(batch_size, drop_last=drop_last)]:
            yield self._batch(rows, training=True), self.labels.index_select(0, rows)

    def views(
        self, number: int, batch_size: int, order_seed: int, augment_seed: int, *, drop_last: bool = False
    ) -> Iterator[tuple[list[torch.Tensor], torch.Tensor]]:
        """Every image once, as `epoch` gives them, in several views: each with random transforms drawn anew."""
        assert self.labels is not None
        order = torch.randperm(self.n, generator=torch.Generator().manual_seed(order_seed)).to(self.device)
        self.generator.manual_seed(augment_seed)
        for rows in order.split(batch_size)[: self.per_epoch(batch_size, drop_last=drop_last)]:
            yield [self._batch(rows, training=True) for _ in range(number)], self.labels.index_select(0, rows)

    def per_epoch(self, batch_size: int, *, drop_last: bool = False) -> int:
        """How many batches an epoch has; with `drop_last`, only full ones. Raises `TrialError` where that is none."""
        if drop_last and self.n < batch_size:
            raise TrialError(
                f"drop_last leaves nothing to train on: there are {self.n} images, and a step takes {batch_size}; "
                "lower batch_size or accumulate"
            )
        return self.n // batch_size if drop_last else math.ceil(self.n / batch_size)

    def in_order(self, batch_size: int | None = None) -> Iterator[tuple[torch.Tensor, slice]]:
        """Every image once, as it lies, untouched by random transforms, with the rows it covers."""
        size = batch_size or self.evaluation_size
        for start in range(0, self.n, size):
            rows = slice(start, min(start + size, self.n))
            yield self._batch(rows, training=False), rows

    def labelled(self, batch_size: int | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """As `in_order`, with the labels."""
        assert self.labels is not None
        for images, rows in self.in_order(batch_size):
            yield images, self.labels[rows]

    def flat(self) -> NDArray[np.float32]:
        """The whole split as `(n, C·H·W)` float32 for scikit-learn."""
        return torch.cat([images.flatten(1) for images, _ in self.in_order()]).cpu().numpy()
