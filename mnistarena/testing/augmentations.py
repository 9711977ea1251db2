"""The checks of an augmentation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnistarena.plugin.components import Shape
from mnistarena.plugin.training import AugmentationDef
from mnistarena.testing.check import Check, Nonconformity, shape_text
from mnistarena.testing.component import ComponentUnderTest, as_shape
from mnistarena.testing.tensors import random_batch, refuse_global_draws, soft, task_of

if TYPE_CHECKING:
    import torch

    Batch = tuple[torch.Tensor, torch.Tensor]

SHAPES: tuple[Shape, ...] = ((1, 28, 28), (3, 32, 32), (3, 9, 12))
SEEDS = 6


class AugmentationUnderTest(ComponentUnderTest):
    """An augmentation, tried on random images of ten classes."""

    kind = "augmentation"
    definition: AugmentationDef

    def __init__(
        self,
        definition: AugmentationDef,
        module: str | os.PathLike[str],
        params: Mapping[str, Any],
        *,
        image_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__(definition, module, params)
        wanted = as_shape(image_shape)
        self.shapes = SHAPES if wanted is None else (wanted,)

    def checks(self) -> list[Check]:
        """The checks of an augmentation."""
        return [
            *super().checks(),
            Check("images", "images keep their shape and type, and are finite", function=self.check_images),
            Check("targets", "targets are labels, or rows that sum to 1, as it says", function=self.check_targets),
            Check("mixed-before", "targets that were mixed before are taken", function=self.check_mixed_before),
            Check("generator", "it draws from the generator that it is given alone", function=self.check_generator),
            Check("random", "another seed gives another batch", function=self.check_random),
            Check("inputs-untouched", "it does not change images or targets", function=self.check_untouched),
            Check("one-image", "a batch of one image works", function=self.check_one),
        ]

    def apply(self, images: torch.Tensor, targets: torch.Tensor, seed: int = 0) -> Batch:
        """A batch through the augmentation, built for its shape."""
        import torch

        _, channels, height, width = images.shape
        apply = self.definition.build(self.params, task_of(10, (channels, height, width)))
        found: object = apply(images, targets, torch.Generator().manual_seed(seed))
        if not isinstance(found, tuple) or len(found) != 2 or not all(isinstance(one, torch.Tensor) for one in found):
            raise Nonconformity(f"it returned {type(found).__name__}; return two tensors: images, targets")
        return found

    def check_images(self) -> None:
        """Images have the shape and type that they had, and are finite."""
        for shape in self.shapes:
            images, labels = random_batch(shape)
            for seed in range(SEEDS):
                made, _ = self.apply(images, labels, seed)
                if made.shape != images.shape or made.dtype != images.dtype:
                    raise Nonconformity(
                        f"images {shape_text(images.shape)} of {images.dtype} became {shape_text(made.shape)} of "
                        f"{made.dtype}; keep both, and let a transform change the shape"
                    )
                if not bool(made.isfinite().all()):
                    raise Nonconformity("images are not finite any more; check what is divided by")

    def check_targets(self) -> None:
        """Labels stay int64 labels, or become float rows that sum to 1 with soft_targets=True."""
        for shape in self.shapes:
            images, labels = random_batch(shape)
            for seed in range(SEEDS):
                self._check_targets(self.apply(images, labels, seed)[1], len(images))

    def _check_targets(self, targets: torch.Tensor, n: int) -> None:
        import torch

        if not self.definition.soft_targets:
            if targets.shape != (n,) or targets.dtype != torch.int64:
                raise Nonconformity(
                    f"targets became {shape_text(targets.shape)} of {targets.dtype}; say soft_targets=True in its "
                    "AugmentationDef if it mixes classes, or return the labels"
                )
            if int(targets.min()) < 0 or int(targets.max()) >= 10:
                raise Nonconformity("a label became one that there is not; labels are 0 … n_classes - 1")
            return
        if targets.shape != (n, 10) or not targets.is_floating_point():
            raise Nonconformity(
                f"with soft_targets=True, targets became {shape_text(targets.shape)} of {targets.dtype}; return float "
                f"({n}, n_classes), of batches that are not mixed too: one_hot(targets, n_classes).float()"
            )
        sums = targets.sum(1)
        if float(targets.min()) < 0 or not torch.allclose(sums, torch.ones(n), atol=1e-5):
            worst = float(sums[(sums - 1).abs().argmax()])
            raise Nonconformity(
                f"a row of the targets sums to {worst:.4g} or has a negative entry; mix with shares that sum to 1"
            )

    def check_mixed_before(self) -> None:
        """Float targets, as an augmentation before it makes them, are taken, and sum to 1 afterwards."""
        import torch

        images, labels = random_batch(self.shapes[0])
        _, targets = self.apply(images, soft(labels, 10), 1)
        if targets.shape != (len(images), 10) or not torch.allclose(targets.sum(1), torch.ones(len(images)), atol=1e-5):
            raise Nonconformity(
                f"mixed targets became {shape_text(targets.shape)}, or their rows do not sum to 1; take targets of two "
                "dimensions as they are: another augmentation may stand before this one"
            )

    def check_generator(self) -> None:
        """Nothing is drawn from the process's random streams, and the same seed gives the same batch."""
        images, labels = random_batch(self.shapes[0])
        for seed in range(SEEDS):
            refuse_global_draws(
                lambda seed=seed: self.apply(images, labels, seed),  # type: ignore[misc]
                "draw from the generator that is passed in: torch.rand(…, generator=generator)",
            )
            one, other = self.apply(images, labels, seed), self.apply(images, labels, seed)
            if not all(a.equal(b) for a, b in zip(one, other, strict=True)):
                raise Nonconformity("the same generator gave another batch; draw from it alone, and keep no state")

    def check_random(self) -> None:
        """Of several seeds, not all give the same batch."""
        images, labels = random_batch(self.shapes[0])
        made = [self.apply(images, labels, seed) for seed in range(SEEDS)]
        if all(one[0].equal(made[0][0]) and one[1].equal(made[0][1]) for one in made):
            raise Nonconformity(
                f"{SEEDS} seeds gave the same batch; draw from the generator; what draws nothing is a transform"
            )

    def check_untouched(self) -> None:
        """Images and targets that it was given are as they were."""
        for seed in range(SEEDS):
            images, labels = random_batch(self.shapes[0])
            self.apply(images, labels, seed)
            before = random_batch(self.shapes[0])
            if not images.equal(before[0]) or not labels.equal(before[1]):
                raise Nonconformity("it changed the images or the targets that it was given; work on a copy")

    def check_one(self) -> None:
        """A batch of one image, such as an epoch's last, works."""
        images, labels = random_batch(self.shapes[0], n=1)
        made, targets = self.apply(images, labels)
        if made.shape != images.shape or len(targets) != 1:
            raise Nonconformity(f"a batch of one image became one of {shape_text(made.shape)}")
