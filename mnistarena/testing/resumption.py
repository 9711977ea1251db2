"""The check that an interrupted training goes on with the same bits, for torch modules of both kinds."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mnistarena.testing.check import Nonconformity, NotApplicable
from mnistarena.testing.repetition import STEPS, answers_of
from mnistarena.testing.short_training import BATCH, answers, difference, images_of, train

if TYPE_CHECKING:
    from mnistarena.testing.model_under_test import ModelUnderTest

FIRST = 3
"""After how many steps the training is interrupted."""


def resumes(model: ModelUnderTest) -> None:
    """A training that is interrupted, and goes on in a new network, gives the outputs of one that was not."""
    from mnistarena.engine.checkpoint import Checkpoints

    assert model.n_images >= BATCH * 2
    kept: list[Any] = []
    _interrupted(model, kept)
    if not kept:
        raise NotApplicable("its training wrote no checkpoint, so that an interrupted one starts again")
    continued = train(model, model.build(), STEPS, checkpoints=Checkpoints(found=kept[-1]))
    whole, resumed = answers_of(model), answers(continued, images_of(model, 8))
    if not whole.equal(resumed):
        if not whole.equal(answers_of(model, again=True)):
            raise NotApplicable('no two of its trainings are the same: see "same-seed"')
        raise Nonconformity(
            f"interrupted and continued, outputs differ by up to {difference(whole, resumed):.3g} from those of one "
            "training; keep whatever training changes in parameters or buffers (register_buffer), or, with "
            "fit(training), in the state that training.checkpoint gets"
        )


def _interrupted(model: ModelUnderTest, kept: list[Any]) -> None:
    """Train until the first checkpoint after `FIRST` steps, or of a model that trains itself until its first one."""
    from mnistarena.engine.checkpoint import Checkpoints, Interrupted

    calls = 0

    def asked() -> bool:
        nonlocal calls
        calls += 1
        return calls >= FIRST

    def write(state: Any, arrays: Any) -> None:
        kept.append((state, {name: array.copy() for name, array in arrays.items()}))

    with suppress(Interrupted):
        train(model, model.build(), STEPS, checkpoints=Checkpoints(write, asked=asked))
