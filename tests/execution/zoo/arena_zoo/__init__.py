"""Models that do everything a plugin should not: each costs its own trial, and no other."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time

from mnistarena import MetricDef, ModelDef, Params, hookimpl

SLEEP = "86399"
"""Seconds that left-over children sleep; the tests look for processes with this argument."""


class Nothing(Params):
    """No parameters."""


def linear(task):
    from torch import nn

    channels, height, width = task.image_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, task.n_classes))


def behaves(params, task):
    return linear(task)


def raises_in_build(params, task):
    raise RuntimeError("built on sand")


def raises_in_training(params, task):
    from arena_zoo.modules import RaisesInTraining

    return RaisesInTraining(linear(task))


def raises_in_prediction(params, task):
    from arena_zoo.modules import RaisesInPrediction

    return RaisesInPrediction(linear(task))


def raises_in_predict_proba(params, task):
    from arena_zoo.modules import Classifier

    return Classifier("raise")


def returns_text(params, task):
    from arena_zoo.modules import Classifier

    return Classifier("text")


def returns_no_probabilities(params, task):
    from arena_zoo.modules import Classifier

    return Classifier("sevens")


def returns_wrong_shape(params, task):
    from arena_zoo.modules import WrongShape

    return WrongShape(linear(task))


def returns_nan(params, task):
    from arena_zoo.modules import NotANumber

    return NotANumber(linear(task))


def diverges(params, task):
    from arena_zoo.modules import Diverges

    return Diverges(linear(task))


def runs_out_of_gpu_memory(params, task):
    from arena_zoo.modules import OutOfMemory

    return OutOfMemory(linear(task))


def poisons_a_metric(params, task):
    from arena_zoo.modules import Poison

    return Poison(linear(task))


def is_no_model(params, task):
    return 42


def hangs(params, task):
    time.sleep(3600)


def hangs_with_the_interpreter_locked(params, task):
    print("going to sleep with the lock held", flush=True)
    ctypes.PyDLL(None).sleep(3600)


def exits(params, task):
    os._exit(7)


def segfaults(params, task):
    ctypes.string_at(0)


def is_killed(params, task):
    os.kill(os.getpid(), signal.SIGKILL)


def eats_memory(params, task):
    eaten = []
    while True:
        eaten.append(b"x" * (64 << 20))
        time.sleep(0.02)


def floods(params, task):
    line = "all work and no play " * 5000
    while True:
        print(line)
        time.sleep(0.01)  # 10 MB a second: enough, and the other trials get on


def fills_the_disk(params, task):
    with tempfile.NamedTemporaryFile(delete=False) as stream:
        while True:
            stream.write(b"x" * (1 << 20))


def leaves_children(params, task):
    sleep = [sys.executable, "-c", f"import time; time.sleep({SLEEP})"]
    subprocess.Popen(sleep)
    subprocess.Popen(sleep, start_new_session=True)
    # A daemon in the old way: its parent is gone before anybody can ask for it.
    subprocess.run([sys.executable, "-c", f"import subprocess; subprocess.Popen({sleep!r}, start_new_session=True)"])
    return linear(task)


def leaves_children_and_exits(params, task):
    leaves_children(params, task)
    os._exit(3)


def raises_something_odd(params, task):
    raise SystemExit("\x1b[2J\x1b]0;owned\x07 gone <script>alert(1)</script>")


MODELS = (
    behaves,
    raises_in_build,
    raises_in_training,
    raises_in_prediction,
    raises_in_predict_proba,
    returns_text,
    returns_no_probabilities,
    returns_wrong_shape,
    returns_nan,
    diverges,
    runs_out_of_gpu_memory,
    poisons_a_metric,
    is_no_model,
    hangs,
    hangs_with_the_interpreter_locked,
    exits,
    segfaults,
    is_killed,
    eats_memory,
    floods,
    fills_the_disk,
    leaves_children,
    leaves_children_and_exits,
    raises_something_odd,
)


def fragile(predictions, params):
    if "poison" in predictions.extras:
        raise ZeroDivisionError("the metric met poison")
    return float((predictions.labels == predictions.predicted).mean())


@hookimpl
def arena_models():
    return [ModelDef(build.__name__.replace("_", "-"), "a fault", params=Nothing, build=build) for build in MODELS]


@hookimpl
def arena_metrics():
    return [
        MetricDef("fragile", "accuracy, until it meets poison", params=Nothing, compute=fragile, higher_is_better=True)
    ]
