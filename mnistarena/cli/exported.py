"""`arena export-model --benchmark`: an exported model in float32 and in int8 beside the trained one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mnistarena.inference.onnx_benchmark import Measured
    from mnistarena.inference.restore import Restored
    from mnistarena.store.results import StoredRun


def compared(
    run: StoredRun,
    restored: Restored,
    data: bytes,
    *,
    small: Path,
    plugins: Sequence[Path],
    warn: Callable[[str], None],
) -> None:
    """Write the exported model `data` in int8 as `small`, and print what both files and the trained model are like."""
    import numpy as np
    import torch

    from mnistarena import environment
    from mnistarena.errors import TrialError
    from mnistarena.inference import onnx_benchmark
    from mnistarena.inference.onnx import INPUT
    from mnistarena.inference.onnx_int8 import quantised
    from mnistarena.inference.provenance import registry_for_run
    from mnistarena.store.files import write_file
    from mnistarena.text import plural, visible

    trial = restored.trial
    split = run.test_split(trial.dataset)
    rows = np.searchsorted(split["index"], trial.predictions().index)
    images = split["images"][rows]
    groups = split["groups"][rows] if "groups" in split else None
    ways = [
        onnx_benchmark.trained(restored),
        onnx_benchmark.exported("onnxruntime, float32", data, restored, images),
    ]
    calibrated = 0
    try:
        if not isinstance(restored.model, torch.nn.Module):
            raise TrialError("a classifier of scikit-learn is not quantised")
        ready = onnx_benchmark.calibration_images(run, restored, registry_for_run(run, plugins))
        calibrated = len(ready)
        int8 = quantised(data, ready, takes=INPUT)
        ways.append(onnx_benchmark.exported("onnxruntime, int8", int8, restored, images))
    except TrialError as problem:
        warn(f"{visible(trial.name)} is not compared in int8: {visible(str(problem))}")
    else:
        write_file(small, int8)
        click.echo(f"{small}: in int8, {len(int8):,} bytes; calibrated on {plural(calibrated, 'training image')}")
    margin = _margin(run)
    found = onnx_benchmark.compare(ways, images, margin=margin, groups=groups, shape=restored.task.image_shape)
    threads = plural(onnx_benchmark.THREADS, "thread")
    click.echo(f"On {environment.processor()}, {threads}; {plural(len(images), 'test image')}:")
    _print(found)
    for one in found[1:]:
        click.echo(_sentence(one))
    click.echo(f"Practically equal: within ± {100 * margin:g} pp. These are verdicts on single models, not on recipes.")


def _margin(run: StoredRun) -> float:
    """The run's margin where that is of the accuracy, else the usual one."""
    from mnistarena.stats.verdicts import MARGIN

    decides = run.plan.get("decide", "accuracy") == "accuracy"
    return run.plan.get("margin", MARGIN) if decides else MARGIN


def _print(found: Sequence[Measured]) -> None:
    from mnistarena.cli.tables import Column, open_console, print_table
    from mnistarena.report.format import percent, seconds
    from mnistarena.text import plural

    columns = [Column("", wraps=True), Column("accuracy", right=True)]
    for size in found[0].latency:
        columns += [Column(plural(size, "image"), right=True), Column("p95", right=True)]
    rows = []
    for one in found:
        row = [one.name, percent(one.accuracy)]
        for latency in one.latency.values():
            row += ["–" if ms is None else seconds(ms / 1000) for ms in (latency.get("p50"), latency.get("p95"))]
        rows.append(row)
    print_table(open_console(), columns, rows)


def _sentence(one: Measured) -> str:
    """A verdict on a way of running the model against the trained one, with the figures behind it."""
    from mnistarena.evidence.pairs import VERBS
    from mnistarena.report.format import p_value, points
    from mnistarena.text import plural

    assert one.difference is not None
    assert one.test is not None
    ends = f"{points(one.difference.low)} to {points(one.difference.high)}"
    return (
        f"{one.name} is {VERBS[one.verdict]} the model as trained: {points(one.difference.estimate)} ({ends}); it "
        f"alone is right on {plural(one.test.only_first, 'image')}, the other alone on {one.test.only_second} "
        f"({p_value(one.test.p)})."
    )
