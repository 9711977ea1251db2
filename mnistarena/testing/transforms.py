"""The checks of a transform."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mnistarena.plugin.components import Shape, Task, TransformDef
from mnistarena.testing.check import Check, Nonconformity, NotApplicable, shape_text
from mnistarena.testing.component import ComponentUnderTest, as_shape
from mnistarena.testing.tensors import refuse_global_draws

if TYPE_CHECKING:
    import torch

SHAPES: tuple[Shape, ...] = ((1, 28, 28), (3, 32, 32), (1, 8, 8), (3, 9, 12))
BATCH = 8
SEEDS = 4
ADVICE = (
    "draw from the generator that is passed in: torch.rand(…, generator=generator); a library's function does so "
    "through mnistarena.per_image"
)


class TransformUnderTest(ComponentUnderTest):
    """A transform, tried on random images in [0, 1]."""

    kind = "transform"
    definition: TransformDef

    def __init__(
        self,
        definition: TransformDef,
        module: str | os.PathLike[str],
        params: Mapping[str, Any],
        *,
        image_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__(definition, module, params)
        self.wanted_shape = as_shape(image_shape)

    def checks(self) -> list[Check]:
        """The checks of a transform."""
        return [
            *super().checks(),
            Check("shape", "shape() gives the shape of the results", function=self.check_shape),
            Check("dtype", "float32 stays float32", function=self.check_dtype),
            Check("finite", "finite values stay finite", function=self.check_finite),
            Check(
                "input-untouched",
                "the transform does not change the images that it is given",
                function=self.check_untouched,
            ),
            Check("repeatable", "the same generator gives the same images", function=self.check_repeatable),
            Check("random-as-said", "it is random if random=True, and only then", function=self.check_random),
            Check("image-by-image", "the result for an image does not depend on the others", function=self.check_alone),
        ]

    def shape(self, before: Shape) -> Shape:
        """The shape afterwards; `ValueError` where the transform refuses it."""
        function = self.definition.shape
        return before if function is None else function(self.params, before)

    @cached_property
    def image_shape(self) -> Shape:
        """The wanted shape, or the first usual one that the transform takes."""
        refused = ""
        for shape in [self.wanted_shape] if self.wanted_shape else SHAPES:
            try:
                self.shape(shape)
                return shape
            except ValueError as problem:
                refused = str(problem)
            except Exception as problem:
                raise NotApplicable('shape() fails: see "shape"') from problem
        raise NotApplicable(f"it refuses the images ({refused}): give image_shape=")

    def build(self, shape: Shape) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
        """The transform, built for images of a shape."""
        channels = shape[0]
        task = Task(
            shape,
            10,
            class_names=tuple("0123456789"),
            n_train=100,
            mean=(0.4,) * channels,
            std=(0.3,) * channels,
            class_counts=(10,) * 10,
        )
        return self.definition.build(self.params, task)

    def apply(self, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
        """Images through the transform, built for their shape."""
        import torch

        _, channels, height, width = images.shape
        return self.build((channels, height, width))(images, torch.Generator().manual_seed(seed))

    def images(self, n: int = BATCH, shape: Shape | None = None) -> torch.Tensor:
        """Random images `(n, C, H, W)` in [0, 1], the same at each call."""
        import torch

        return torch.rand(n, *(shape or self.image_shape), generator=torch.Generator().manual_seed(7))

    def check_shape(self) -> None:
        """`shape` gives the shape of the results, for the wanted shape and for usual ones that it takes."""
        taken, refused = 0, ""
        for before in dict.fromkeys([*([self.wanted_shape] if self.wanted_shape else []), *SHAPES]):
            try:
                said = self.shape(before)
            except ValueError as problem:
                refused = refused or str(problem)
                continue
            taken += 1
            after = tuple(self.apply(self.images(3, before)).shape)
            if after != (3, *said):
                raise Nonconformity(
                    f"3 images of {shape_text(before)} became {shape_text(after)}, but shape() gives "
                    f"{shape_text((3, *said))}"
                    + ("; give TransformDef a shape function" if self.definition.shape is None else "")
                )
        if not taken:
            raise NotApplicable(f"shape() refuses every shape that was tried ({refused}): give image_shape=")

    def check_dtype(self) -> None:
        """The results are float32, like the images that it is given."""
        found = self.apply(self.images()).dtype
        if str(found) != "torch.float32":
            raise Nonconformity(f"float32 images became {found}; end with .to(images.dtype)")

    def check_finite(self) -> None:
        """The results are finite for random images, black ones and white ones."""
        import torch

        for name, images in (
            ("random", self.images()),
            ("black", torch.zeros_like(self.images())),
            ("white", torch.ones_like(self.images())),
        ):
            bad = int((~self.apply(images).isfinite()).sum())
            if bad:
                raise Nonconformity(
                    f"{bad} values of {BATCH} {name} images are not finite; add a little to what is divided by"
                )

    def check_untouched(self) -> None:
        """The given images are unchanged: the engine uses them again."""
        given = self.images()
        before = given.clone()
        self.apply(given)
        if not given.equal(before):
            changed = int((given != before).sum())
            raise Nonconformity(f"{changed} values of the given images were changed; work on a copy")

    def check_repeatable(self) -> None:
        """The same generator gives the same results, each time it is called, and no other stream is drawn from."""
        import torch

        refuse_global_draws(lambda: self.apply(self.images(), seed=5), ADVICE)
        apply = self.build(self.image_shape)
        results = [apply(self.images(), torch.Generator().manual_seed(5)) for _ in range(2)]
        if not results[0].equal(results[1]):
            raise Nonconformity(
                f"called twice with the same generator, it gave other images: they differ by up to "
                f"{_difference(*results):.3g}; {ADVICE}"
            )

    def check_random(self) -> None:
        """A random transform draws for each image, anew for each seed; one that is not random draws nothing."""
        import torch

        torch.manual_seed(1)
        first, second = self.apply(self.images(), seed=1), self.apply(self.images(), seed=2)
        if not self.definition.random:
            if not first.equal(second):
                raise Nonconformity(
                    "it draws from the generator; say random=True in its TransformDef, so that it is left out at "
                    "evaluation"
                )
            return
        same = self.images(1).expand(BATCH, -1, -1, -1).contiguous()
        made = [self.apply(same, seed=seed) for seed in range(SEEDS)]
        if all(one.equal(one[:1].expand_as(one)) for one in made):
            raise Nonconformity(
                f"{BATCH} equal images became {BATCH} equal images, with each of {SEEDS} seeds; draw for each image: "
                "torch.rand(len(images), …)"
            )
        if all(one.equal(made[0]) for one in made):
            raise Nonconformity(f"{SEEDS} seeds gave the same images; {ADVICE}")

    def check_alone(self) -> None:
        """An image alone gives the same result as in a batch."""
        import torch

        if self.definition.random:
            raise NotApplicable("it is random: what an image gets depends on the order of draws")
        images = self.images()
        together = self.apply(images)
        alone = torch.cat([self.apply(image[None]) for image in images])
        if not torch.allclose(together, alone, rtol=1e-4, atol=1e-5):
            raise Nonconformity(
                f"alone, an image has another result than in a batch, by up to {_difference(together, alone):.3g}; "
                "compute statistics of each image, or take the task's mean and std"
            )


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest absolute difference; infinite where shapes differ."""
    return float((one - other).abs().max()) if one.shape == other.shape else float("inf")
