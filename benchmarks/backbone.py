"""Fine-tuning with a frozen backbone, five epochs: features computed once against computed anew in each epoch."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import torch

from benchmarks.contenders import mnist
from benchmarks.places import places
from benchmarks.rows import Row, at_least, take_turns

IMAGES, EPOCHS, SIDE = 1000, 5, 64


@lru_cache(maxsize=1)
def chain() -> Any:
    from mnistarena.engine.chain import Chain
    from mnistarena.plugin.registry import installed

    registry = installed()
    names = (("resize", {"size": SIDE}), ("to-rgb", {}), ("normalize", {}))
    found = [(registry.get("transform", name).definition, values) for name, values in names]
    return Chain([(definition, definition.params(**values)) for definition, values in found], mnist(IMAGES)[2])


def fine_tune(once: bool) -> float:
    """Seconds of training AlexNet's last layer, the time for its features included."""
    from mnistarena.engine import backbone
    from mnistarena.engine.batches import Batches
    from mnistarena.engine.step import autocast
    from mnistarena.engine.training import train
    from mnistarena.plugin.registry import installed
    from mnistarena.spec.schema import Training

    definition: Any = installed().get("model", "alexnet").definition
    images, labels, _ = mnist(IMAGES)
    recipe = Training.model_validate({"epochs": EPOCHS})
    model = definition.build(definition.params(weights=["none"], freeze="backbone"), chain().task)
    split = Batches(images, labels, chain=chain(), device=torch.device("cpu"), keep=not once)
    began, trained = time.perf_counter(), model
    if once:
        features = backbone.features(model.backbone, split, autocast(recipe, split.device))
        assert features is not None
        trained, split = model.head, features
    spent = time.perf_counter() - began
    found = train(trained, split, recipe, seed=0, spent=spent)
    return float(found["train_seconds"])


def run(rounds: int) -> list[Row]:
    """Both with all cores, in turns."""
    with places(1, torch.get_num_threads()) as (place,):
        place.call(fine_tune, True)
        turns = take_turns(
            {"once": lambda: place.call(fine_tune, True), "anew": lambda: place.call(fine_tune, False)}, rounds
        )
    return [
        at_least(
            f"frozen-backbone fine-tuning, {EPOCHS} epochs, against computing features anew",
            turns.ratios("anew", "once"),
            3,
            f"alexnet at {SIDE} × {SIDE}, {IMAGES:,} images: {turns.told(('once', 'anew'), 's', 1)}",
        )
    ]
