"""torchvision's random transforms drawn per image: `per_image` against a plain loop, and one call for a batch."""

from __future__ import annotations

import time
from functools import lru_cache, partial
from typing import Any

import torch

from benchmarks.places import Place, places
from benchmarks.rows import Row, at_most, take_turns

IMAGES, BATCH = 2048, 64
NAMES = ("RandAugment", "TrivialAugmentWide")
SHAPES = ((1, 28, 28), (3, 32, 32))


@lru_cache
def batches(shape: tuple[int, int, int]) -> list[torch.Tensor]:
    return list(torch.rand(IMAGES, *shape, generator=torch.Generator().manual_seed(0)).split(BATCH))


def cost(name: str, shape: tuple[int, int, int], how: str) -> float:
    """Microseconds of processor time that an image takes: float batches through a transform on uint8 values."""
    from torchvision.transforms import v2

    from mnistarena import per_image

    function = getattr(v2, name)()
    generator = torch.Generator().manual_seed(0)

    def whole(images: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = function(images.mul(255).round().to(torch.uint8))
        return made.to(torch.float32).div_(255)

    adapted = per_image(function, uint8=True)
    contenders: dict[str, Any] = {
        "per_image": lambda images: adapted(images, generator),
        "loop": lambda images: torch.stack([whole(image) for image in images]),
        "batch": whole,
    }
    call = contenders[how]
    call(batches(shape)[0])
    began = time.process_time()
    for images in batches(shape):
        call(images)
    return (time.process_time() - began) / IMAGES * 1e6


def row(name: str, shape: tuple[int, int, int], place: Place, rounds: int) -> Row:
    """One transform on images of one shape."""
    turns = take_turns(
        {how: partial(place.call, cost, name, shape, how) for how in ("per_image", "loop", "batch")}, rounds
    )
    return at_most(
        f"`per_image({name}())` on {' × '.join(map(str, shape))} against a plain loop over the images",
        turns.ratios("per_image", "loop"),
        1.2,
        f"processor time of an image: {turns.told(('per_image', 'loop'), 'µs')}, "
        f"one draw for a batch of {BATCH} {turns.median('batch'):,.0f} µs; "
        f"an epoch of 60,000 images {turns.median('per_image') * 0.06:,.0f} s",
    )


def run(rounds: int) -> list[Row]:
    """Each with one thread, in turns."""
    with places(1, 1) as (place,):
        return [row(name, shape, place, rounds) for name in NAMES for shape in SHAPES]
