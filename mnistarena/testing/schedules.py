"""The checks of a schedule of the learning rate."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from mnistarena.plugin.training import ScheduleDef
from mnistarena.testing.check import Check, Nonconformity, NotApplicable
from mnistarena.testing.component import ComponentUnderTest

TRAININGS = ((1, 1), (10, 5), (200, 20), (7, 100))
"""Steps of a training, and of an epoch: one step, some epochs, less than an epoch."""


class ScheduleUnderTest(ComponentUnderTest):
    """A schedule, tried on trainings of several lengths."""

    kind = "schedule"
    definition: ScheduleDef

    def checks(self) -> list[Check]:
        """The checks of a schedule."""
        return [
            *super().checks(),
            Check("factor", "every factor is a finite number, and none is negative", function=self.check_factor),
            Check("learns", "not every factor is 0", function=self.check_learns),
            Check("repeatable", "a step's factor does not depend on the steps before", function=self.check_repeatable),
            Check("validation", "what looks at validation can be stored and continued", function=self.check_validation),
        ]

    def built(self, total: int = 200, per_epoch: int = 20) -> Callable[[int], Any]:
        """The schedule of a training."""
        return self.definition.build(self.params, total, per_epoch)

    def check_factor(self) -> None:
        """Factors are finite and at least 0, from the first step to the last."""
        for total, per_epoch in TRAININGS:
            schedule = self.built(total, per_epoch)
            for step in range(total):
                found = schedule(step)
                if isinstance(found, bool) or not isinstance(found, (int, float)):
                    raise Nonconformity(f"the factor of step {step} is a {type(found).__name__}; return a float")
                if not math.isfinite(found) or found < 0:
                    raise Nonconformity(
                        f"the factor of step {step} of {total} is {found}; it is multiplied with the learning rate: "
                        "return a number that is finite and not negative, and mind trainings of a single step"
                    )

    def check_learns(self) -> None:
        """A training of ten epochs has a step whose factor is above 0."""
        schedule = self.built()
        if not any(schedule(step) > 0 for step in range(200)):
            raise Nonconformity("all factors are 0, so that nothing is learnt; 1 leaves the learning rate as it is")

    def check_repeatable(self) -> None:
        """A step's factor is the same whichever steps came before: an interrupted training begins anywhere."""
        if self.definition.needs_validation:
            raise NotApplicable('it looks at validation: see "validation"')
        schedule = self.built()
        forward = [schedule(step) for step in range(200)]
        fresh = self.built()
        wrong = [step for step in range(199, -1, -7) if fresh(step) != forward[step]]
        if wrong:
            raise Nonconformity(
                f"the factor of step {wrong[0]} is {forward[wrong[0]]} after the steps before it, and another one "
                "without them; compute it from the step alone, and draw nothing"
            )

    def check_validation(self) -> None:
        """`after_epoch`, `state_dict` and `load_state_dict` work, and a stored state continues as the first one."""
        if not self.definition.needs_validation:
            raise NotApplicable("it does not say needs_validation=True")
        schedule: Any = self.built()
        for name in ("after_epoch", "state_dict", "load_state_dict"):
            if not callable(getattr(schedule, name, None)):
                raise Nonconformity(
                    f"what build returned has no {name}(); a schedule that looks at validation needs it"
                )
        losses = [1.0, 0.5, *[0.6] * 12]
        for loss in losses[:4]:
            schedule.after_epoch(loss, 1 - loss)
        try:
            state = json.loads(json.dumps(schedule.state_dict(), allow_nan=False))
        except (TypeError, ValueError) as problem:
            raise Nonconformity(f"state_dict() is no plain data as JSON has it: {problem}") from problem
        again: Any = self.built()
        again.load_state_dict(state)
        for epoch, loss in enumerate(losses[4:], 5):
            both = []
            for one in (schedule, again):
                one.after_epoch(loss, 1 - loss)
                both.append(one(20 * epoch))
            if both[0] != both[1] or not math.isfinite(both[0]) or both[0] < 0:
                raise Nonconformity(
                    f"after epoch {epoch} the factor is {both[0]}, and {both[1]} where it was stored and continued "
                    "before; keep all of the state in state_dict()"
                )
