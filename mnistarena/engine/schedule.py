"""Learning-rate schedules: a factor of the optimizer's own rate, counted in steps."""

from __future__ import annotations

import math

from mnistarena.spec.schema import Schedule


def factor(schedule: Schedule, step: int, total: int) -> float:
    """The factor for `step` (from 0) of `total`.

    `cosine`: half a cosine from 1 to `final` over the steps after the warm-up (Loshchilov and Hutter 2017).
    `one-cycle`: linear from `initial` to 1 at the share `peak` of the training, then linear to `final`
    (Smith and Topin 2018). `step`: times `gamma` after every `every` steps.
    """
    if step < schedule.warmup_steps:
        return (step + 1) / (schedule.warmup_steps + 1)
    if schedule.name == "cosine":
        done = (step - schedule.warmup_steps) / max(1, total - schedule.warmup_steps)
        return schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
    if schedule.name == "one-cycle":
        done, peak = step / max(1, total), schedule.peak
        if done < peak:
            return schedule.initial + (1 - schedule.initial) * done / peak
        return 1 + (schedule.final - 1) * (done - peak) / (1 - peak)
    if schedule.name == "step":
        return schedule.gamma ** (step // schedule.every)
    return 1.0
