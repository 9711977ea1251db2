"""Training in bf16 against float32, one thread, for the networks of specs/full.toml on a slice of their images.

The clock is the processor's: other programs of the machine take turns with a training, but not its processor time.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.places import places
from benchmarks.rows import Row, at_least, beside, take_turns

SPEC = Path(__file__).parent.parent / "specs" / "full.toml"

STEPS = {"cnn": 60, "faster-rcnn": 40, "vgg16": 3, "alexnet": 6, "vit": 60, "vit-64": 20}
"""Steps of a turn: about a second or two."""

TARGETS = {"vgg16": 1.6, "alexnet": 1.6}


@lru_cache(maxsize=1)
def recipes() -> dict[str, Any]:
    """The recipes by label, on 6,400 training images, from scratch."""
    from mnistarena.plan.lookup import registry_for
    from mnistarena.plan.resolve import resolve
    from mnistarena.spec.load import load_spec

    scratch = [f'model.{name}.params.weights=["none"]' for name in ("vgg16", "alexnet")]
    spec = load_spec(SPEC, ["dataset.mnist.train_limit=6400", "dataset.mnist.validation=0", *scratch])
    plan = resolve(spec, registry_for(spec), only=list(STEPS))
    return {recipe.label: recipe for recipe in plan.recipes}


def rate(label: str, precision: str) -> float:
    """Images trained a second of processor time."""
    from mnistarena.engine.batches import Batches
    from mnistarena.engine.chain import Chain
    from mnistarena.engine.layout import place
    from mnistarena.engine.training import train
    from mnistarena.trial.isolation import keep_memory

    keep_memory()
    recipe, device = recipes()[label], torch.device("cpu")
    draw = recipe.data.first
    rows = draw.split.train
    images, labels = draw.dataset.train_images[rows], draw.dataset.train_labels[rows]
    chain = Chain([(component.definition, params) for component, params in recipe.transforms], recipe.data.task)
    torch.manual_seed(0)
    model = recipe.model.definition.build(recipe.params, chain.task)
    place(model, chain, device, lambda sentence: None)
    changes = {"precision": precision, "steps": STEPS[label], "epochs": None}
    training = recipe.training.model_copy(update=changes)
    batches = Batches(images, labels, chain=chain, device=device, keep=True)
    found = train(model, batches, training, seed=0)
    return STEPS[label] * training.batch_size / found["train_cpu_seconds"]


def run(rounds: int) -> list[Row]:
    """Each network in both precisions, in turns, each in a process of its own."""
    return [_pair(label, rounds) for label in STEPS]


def _pair(label: str, rounds: int) -> Row:
    with places(2, 1) as homes:
        contenders = {
            precision: (lambda home=home, precision=precision: home.call(rate, label, precision))
            for precision, home in zip(("float32", "bf16"), homes, strict=True)
        }
        for contender in contenders.values():
            contender()
        turns = take_turns(contenders, rounds)
    told = turns.told(("float32", "bf16"), "images/s")
    what, ratios = f"`{label}`, bf16 against float32", turns.ratios("bf16", "float32")
    return at_least(what, ratios, TARGETS[label], told) if label in TARGETS else beside(what, ratios, told)
