"""Tasks and random data that the checks of losses, augmentations and optimizers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mnistarena.plugin.components import Shape, Task
from mnistarena.testing.check import Nonconformity

if TYPE_CHECKING:
    import torch

    Batch = tuple[torch.Tensor, torch.Tensor]


def task_of(n_classes: int = 10, shape: Shape = (1, 8, 8)) -> Task:
    """A task of so many classes, with ten training images of each."""
    names = tuple(map(str, range(n_classes)))
    counts = (10,) * n_classes
    return Task(shape, n_classes, class_names=names, n_train=10 * n_classes, class_counts=counts)


def random_batch(shape: Shape, n_classes: int = 10, n: int = 12) -> Batch:
    """Random images `(n, C, H, W)` in [0, 1] and labels `(n,)`, the same at each call."""
    import torch

    generator = torch.Generator().manual_seed(7)
    images = torch.rand(n, *shape, generator=generator)
    return images, torch.randint(0, n_classes, (n,), generator=generator)


def soft(labels: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Each label mixed with the one before it, three to one: float `(n, n_classes)`."""
    from torch.nn import functional

    hard = functional.one_hot(labels, n_classes).float()
    return 0.75 * hard + 0.25 * hard.roll(1, 0)


def refuse_global_draws(call: Callable[[], Any], advice: str) -> None:
    """Raises `Nonconformity` where a call moves a random stream of the process: torch's, NumPy's or Python's."""
    import torch

    from mnistarena.engine.random_state import capture_streams, restore_streams

    cpu = torch.device("cpu")
    drawn, generators = capture_streams(cpu)
    try:
        call()
        after, cpu_after = capture_streams(cpu)
    finally:
        restore_streams(drawn, generators, cpu)
    moved = [name for name in ("python", "numpy") if after[name] != drawn[name]]
    moved += ["torch"] if not torch.equal(cpu_after["cpu"], generators["cpu"]) else []
    if moved:
        raise Nonconformity(f"it draws from the global random stream of {' and '.join(moved)}; {advice}")
