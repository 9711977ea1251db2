"""Predictions and true labels alone, without a spec, a dataset or a training: judged in this process."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena import environment
from mnistarena.data.brought import Said, as_classes
from mnistarena.data.brought_files import as_array, row_of
from mnistarena.data.dataset import fingerprint
from mnistarena.data.draws import Draw
from mnistarena.data.labels import in_order
from mnistarena.data.pixels import as_images
from mnistarena.data.splits import Split, SplitRule
from mnistarena.errors import DataError
from mnistarena.execution.brought import store_brought
from mnistarena.execution.observer import Observer
from mnistarena.execution.record import scored_record
from mnistarena.execution.resume import Resume, ScoringRequest
from mnistarena.plan.alone import planned_metrics
from mnistarena.plan.brought import BroughtRecipe, brought_recipe
from mnistarena.plan.contents import Plan
from mnistarena.plan.deciding import planned_margin
from mnistarena.plan.lookup import Lookup
from mnistarena.plan.recipe import LoadedDataset, Trial
from mnistarena.plugin.components import Dataset, DatasetDef, Params
from mnistarena.plugin.discovery import CORE, Plugin
from mnistarena.plugin.executor import Job
from mnistarena.plugin.registry import Component, installed
from mnistarena.spec import schema
from mnistarena.spec.brought import BroughtTable
from mnistarena.spec.load import load_spec
from mnistarena.store.records import DatasetRecord
from mnistarena.store.results import StoredRun, read_run
from mnistarena.store.run_folder import RunFolder
from mnistarena.text import plural
from mnistarena.version import __version__


@dataclass(frozen=True)
class TestImages:
    """What is known of the test images: `labels` `(n,)`; each other one may be None.

    `images` are uint8 `(n, C, H, W)` or `(n, H, W)`, `names` what a person calls them, `groups` says which belong
    together.
    """

    labels: Any
    class_names: Sequence[str] | None
    images: Any
    names: Sequence[str] | None
    groups: Any


def judge_predictions(
    known: TestImages,
    predictions: Mapping[str, Any],
    *,
    benchmark: Mapping[str, Any],
    deterministic: Sequence[str],
    out: Path | None,
) -> StoredRun:
    """Judge models by what they predict; `mnistarena.judge` says what each argument is."""
    given = {label: _by_seed(value) for label, value in predictions.items()}
    spec = load_spec(
        {
            "benchmark": dict(benchmark),
            "dataset": [{"name": benchmark["name"]}],
            "model": [
                {"label": label, "predictions": of, "deterministic": label in deterministic}
                for label, of in given.items()
            ],
        }
    )
    registry, table = installed(), spec.benchmark
    metrics = planned_metrics(table.metrics if table else (), ("benchmark",), Lookup(registry, spec.problems))
    margin = planned_margin(spec, metrics)
    for wanted in [*deterministic, *([table.baseline] if table and table.baseline is not None else [])]:
        if wanted not in given:
            spec.problems.add(("benchmark",), f'no model is labelled "{wanted}"; labels: {", ".join(given)}')
    spec.problems.stop()
    assert table is not None
    data = _dataset(known, given, table.name)
    tables = [one for one in spec.models if isinstance(one, BroughtTable)]
    plan = Plan(
        spec,
        table,
        metrics=tuple(metrics),
        datasets=(data,),
        recipes=tuple(_recipe(one, data) for one in tables),
        labels=tuple(given),
        registry=registry,
        margin=margin,
    )
    folder = RunFolder(out or Path(tempfile.mkdtemp(prefix="arena-judge-")))
    folder.create()
    with folder.lock(), folder.scratch() as scratch:
        _score(plan, folder, scratch)
    return read_run(folder.path)


@dataclass(frozen=True)
class _Judged(LoadedDataset):
    """Test images alone: nothing was trained on images of this dataset here."""

    def draw(self, seed: int, split: int | None) -> Draw:
        """All test images."""
        none, rows = np.zeros(0, np.int64), np.arange(len(self.dataset.test_labels))
        return Draw(self.dataset, Split(none, none, test=rows), rule=SplitRule(), fingerprint=self.fingerprint)

    def describe(self, trials: Sequence[Trial]) -> DatasetRecord:
        """The dataset in plan.json."""
        groups = self.dataset.test_groups
        return {
            "label": self.label,
            "name": self.label,
            "params": {},
            "fingerprint": self.fingerprint,
            "n_train": 0,
            "n_validation": 0,
            "n_test": len(self.dataset.test_labels),
            "test_groups": 0 if groups is None else len(np.unique(groups)),
            "split_seed": 0,
            "class_names": list(self.dataset.class_names),
            "image_shape": list(self.dataset.image_shape),
            "known_label_errors": [],
            "licence": "",
            "source": "",
        }


def _score(plan: Plan, folder: RunFolder, scratch: Path) -> None:
    """Write the run folder of a plan, all of whose predictions are there, and compute their figures."""
    from mnistarena.trial.run import run_trial  # loads torch

    conditions = environment.conditions("cpu", None, threads=1, jobs=1)
    described = {**plan.describe(), "conditions": conditions, "spec_folder": ""}
    text = "# given to mnistarena.judge(): " + ", ".join(plan.labels) + "\n"
    folder.write_start(text, described, environment.environment(plan.distributions()))  # type: ignore[arg-type]
    (data,) = plan.datasets
    folder.write_dataset(data.label, data.test_split(data.first.split.test))
    if data.dataset.test_groups is not None:
        np.save(scratch / "test_groups.npy", data.dataset.test_groups)
    request = ScoringRequest.of(plan)
    resume = Resume(folder, request, observer=Observer(), force=True, retry_failed=False)
    for trial in plan.trials():
        files = resume.trial_folder(trial)
        files.reset()
        store_brought(trial, files, conditions)
        job = Job(
            files.path,
            trial.identity,
            conditions=conditions,
            data=scratch,
            temporary=scratch,
            mode="score",
            metrics=tuple(metric.request() for metric in plan.metrics),
        )
        files.write(scored_record(files.read(), run_trial(job, lambda event: None, []), request))


def _recipe(table: BroughtTable, data: LoadedDataset) -> BroughtRecipe:
    try:
        return brought_recipe(table, data, (), base=Path.cwd(), several=False)
    except DataError as problem:
        raise DataError(f'"{table.label}": {problem}') from problem


# ---- Arrays


def _by_seed(value: Any) -> str | dict[str, Any]:
    """A model's predictions by seed: of one array, of a list of arrays, or as they are given."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {str(seed): one if isinstance(one, str) else as_array(one) for seed, one in value.items()}
    if isinstance(value, (list, tuple)) and all(len(getattr(one, "shape", ())) for one in value):
        arrays = [as_array(one) for one in value]
    else:
        whole = as_array(value)
        arrays = list(whole) if whole.ndim == 3 else [whole]
    return {str(seed): one for seed, one in enumerate(arrays)}


def _dataset(known: TestImages, given: Mapping[str, Any], label: str) -> _Judged:
    """The test images as a dataset; raises `DataError`."""
    true = as_array(known.labels)
    if true.ndim != 1 or not true.size:
        raise DataError(f"y_true is {true.dtype} {true.shape}; give the class of each test image, (n,)")
    arrays = [one for of in given.values() if isinstance(of, dict) for one in of.values() if not isinstance(one, str)]
    names = list(known.class_names) if known.class_names is not None else _class_names(true, arrays)
    labels = as_classes(true, Said("y_true", "", output="labels", answers=true, place=row_of), names, "class")
    images, wrong = np.zeros((len(labels), 1, 0, 0), np.uint8), list[str]()
    if known.images is not None:
        images = as_images(np.asarray(known.images), "images", wrong)
    groups = None if known.groups is None else np.unique(as_array(known.groups), return_inverse=True)[1].reshape(-1)
    called = None if known.names is None else [str(name) for name in known.names]
    for what, of in (("images", images), ("groups", groups), ("names", called)):
        if not wrong and of is not None and len(of) != len(labels):
            wrong.append(f"there are {len(of)} {what} for {plural(len(labels), 'label')} in y_true")
    if wrong:
        raise DataError("; ".join(wrong))
    dataset = Dataset(
        np.zeros((0, *images.shape[1:]), np.uint8),
        np.zeros(0, np.int64),
        test_images=images,
        test_labels=labels,
        class_names=tuple(names),
        test_groups=None if groups is None else groups.astype(np.int64),
        test_names=called,
    )
    definition = DatasetDef(label, "test images", params=Params, load=lambda params, context: dataset)
    return _Judged(
        label,
        Component("dataset", definition, plugin=Plugin("judged", CORE, version=__version__)),
        params=Params(),
        table=schema.DatasetTable(name=label),
        dataset=dataset,
        fingerprint=fingerprint(dataset),
    )


def _class_names(true: NDArray[Any], arrays: Sequence[NDArray[Any]]) -> list[str]:
    """Names of the classes where none are given: numbers from 0, or the labels in their order."""
    widths = sorted({array.shape[1] for array in arrays if array.ndim == 2})
    said = [array for array in (true, *arrays) if array.ndim == 1]
    texts = in_order({text for array in said for text in np.unique(array).astype(str).tolist()})
    numbers = all(array.dtype.kind in "biuf" for array in said)
    if len(widths) > 1:
        raise DataError(f"predictions are of {' and of '.join(map(str, widths))} classes; all must be of as many")
    if numbers:
        return [str(number) for number in range(widths[0] if widths else max(2, 1 + max(int(float(t)) for t in texts)))]
    if widths and widths[0] != len(texts):
        raise DataError(
            f"there are {len(texts)} different labels, and probabilities of {widths[0]} classes; give class_names, in "
            "the order of the columns"
        )
    return texts
