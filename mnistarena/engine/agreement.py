"""Whether two ways to take the same steps, such as ordinary ones and replays of a graph, leave the same model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass

import torch
from torch import nn

from mnistarena.engine.optimizer import Optimizers
from mnistarena.engine.random_state import capture_streams, restore_streams

CHUNK = 1 << 24
"""Numbers compared at a time, so that a large model's comparison takes little memory on the device."""

TakeStep = Callable[[torch.Tensor, torch.Tensor], object]
"""Trains on images `(N, C, H, W)` and targets, int64 `(N,)` or float `(N, n_classes)`."""


@dataclass(frozen=True)
class Agreement:
    """Of `numbers` in parameters and buffers, how many are `different` in any bit, and how far apart.

    `largest` is the largest absolute difference; `share` is the norm of the differences over the norm of what the steps
    of the first way changed, of parameters or of buffers, whichever is larger: 0 where all are equal, 1 where the
    second way changed nothing.
    """

    numbers: int
    different: int
    _: KW_ONLY
    largest: float
    share: float


class Snapshot:
    """All that steps change, as it stands now: parameters, buffers, the optimizer's state, the random streams.

    An optimizer that has no state yet must begin with zeros, as Adam does.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizers, device: torch.device) -> None:
        self.optimizer, self.device = optimizer, device
        self.fresh = not optimizer.state
        self.groups: list[list[torch.Tensor]] = [list(model.parameters()), list(model.buffers())]
        self.state = [v for values in optimizer.state.values() for v in values.values() if isinstance(v, torch.Tensor)]
        self.kept = [[tensor.detach().clone() for tensor in group] for group in (*self.groups, self.state)]
        self.streams = capture_streams(device)

    @torch.no_grad()
    def restore(self) -> None:
        """Put everything back, in place."""
        for group, kept in zip((*self.groups, self.state), self.kept, strict=True):
            for tensor, value in zip(group, kept, strict=True):
                tensor.copy_(value)
        for state in self.optimizer.state.values() if self.fresh else ():
            for value in state.values():
                if isinstance(value, torch.Tensor):
                    value.zero_()
        restore_streams(*self.streams, self.device)

    def compare(
        self, first: TakeStep, second: TakeStep, batches: Sequence[tuple[torch.Tensor, torch.Tensor]]
    ) -> Agreement:
        """Take a step on each batch in the first way and in the second, both from this state; all is put back."""
        self.restore()
        for images, targets in batches:
            first(images, targets)
        # On the host, so that the trial's peak of GPU memory stays that of its training.
        wanted = [[tensor.detach().to("cpu", copy=True) for tensor in group] for group in self.groups]
        self.restore()
        for images, targets in batches:
            second(images, targets)
        found = [_agreement(*columns) for columns in zip(self.groups, self.kept[:2], wanted, strict=True)]
        self.restore()
        return Agreement(
            sum(one.numbers for one in found),
            sum(one.different for one in found),
            largest=max(one.largest for one in found),
            share=max(one.share for one in found),
        )


@torch.no_grad()
def _agreement(found: list[torch.Tensor], before: list[torch.Tensor], wanted: list[torch.Tensor]) -> Agreement:
    numbers = different = 0
    largest = apart = changed = 0.0
    for columns in zip(found, before, wanted, strict=True):
        for now, old, other in _pieces(columns):
            numbers += now.numel()
            different += int((_bits(now) != _bits(other)).any(1).sum())
            difference = (now.double() - other.double()).abs()
            largest = max(largest, float(difference.max()))
            apart += float(difference.square().sum())
            changed += float((other.double() - old.double()).square().sum())
    share = (apart / changed) ** 0.5 if changed else float(apart > 0)
    return Agreement(numbers, different, largest=largest, share=share if different else 0.0)


def _pieces(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Tensors of one shape, flat, piece by piece, on the first one's device."""
    flat = [tensor.detach().reshape(-1) for tensor in tensors]
    for start in range(0, len(flat[0]), CHUNK):
        yield [one[start : start + CHUNK].to(flat[0].device) for one in flat]


def _bits(numbers: torch.Tensor) -> torch.Tensor:
    """The bytes of numbers `(n,)`, `(n, bytes of one)`."""
    return numbers.contiguous().view(torch.uint8).view(len(numbers), numbers.element_size())
