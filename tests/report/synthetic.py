"""A plausible run folder, made through the store's own API: what the report is developed and tested on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from mnistarena.plugin.components import Predictions
from mnistarena.stats import consistency, contributions
from mnistarena.store.contributions import Contribution
from mnistarena.store.run_folder import RunFolder

MODELS: dict[str, dict[str, Any]] = {
    "cnn": {"accuracy": 0.9925, "spread": 0.0004, "seconds": 96.0, "parameters": 212_542},
    "faster-rcnn": {"accuracy": 0.9931, "spread": 0.0005, "seconds": 180.0, "parameters": 421_642},
    "vgg16": {"accuracy": 0.926, "spread": 0.012, "seconds": 310.0, "parameters": 134_301_514},
    "alexnet": {"accuracy": 0.957, "spread": 0.006, "seconds": 240.0, "parameters": 57_044_810},
    "vit-8": {"accuracy": 0.885, "spread": 0.008, "seconds": 60.0, "parameters": 1_642},
}

CONDITIONS = {
    "device": "cpu",
    "device_name": "AMD EPYC 9B14",
    "threads": 1,
    "jobs": 2,
    "torch": "2.14.1",
    "numpy": "2.4.6",
    "python": "3.11.7",
    "platform": "Linux-6.1-x86_64",
}

METRICS = [
    ("accuracy", True, "share of test images whose most probable class is the true one"),
    ("f1_weighted", True, "F1 of each class, averaged with the classes' sizes as weights"),
    ("log_loss", False, "mean negative log of the probability given to the true class"),
]


def identity(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def entry(label: str, seeds: list[int], dataset: str = "mnist", **changes: Any) -> dict[str, Any]:
    return {
        "label": label,
        "dataset": dataset,
        "model": label.split("-")[0],
        "summary": f"the notebook's {label}",
        "params": {"dropout": 0.5, "weights": ["imagenet", "none"]} if label == "vgg16" else {"width": 8},
        "transforms": ([{"name": "resize", "size": 32}] if label == "vgg16" else []) + [{"name": "normalize"}],
        "training": {
            "epochs": None if label == "vgg16" else 8,
            "steps": 100 if label == "vgg16" else None,
            "batch_size": 64,
            "optimizer": {"name": "adam", "lr": 0.001},
            "schedule": {"name": "cosine", "warmup_steps": 100},
            "precision": "float32",
            "select": "last",
        },
        "notes": ["vgg16: imagenet weights could not be fetched; trained from scratch"] if label == "vgg16" else [],
        "distribution": f"mnistarena-{label} 0.1.0",
        "seeds": seeds,
        "deterministic": False,
        **changes,
    }


def dataset_plan(label: str, class_names: list[str], n: int, validation: int) -> dict[str, Any]:
    return {
        "label": label,
        "name": "mnist",
        "fingerprint": hashlib.sha256(label.encode()).hexdigest(),
        "n_train": 60_000 - validation,
        "n_validation": validation,
        "n_test": n,
        "split_seed": 0,
        "class_names": class_names,
        "image_shape": [1, 28, 28],
        "known_label_errors": [947, 1621, 1901],
        "licence": "CC BY-SA 3.0",
        "source": "Y. LeCun and C. Cortes",
        "train_limit": None,
        "test_limit": n,
    }


def predict(
    rng: np.random.Generator, labels: np.ndarray, hardness: np.ndarray, accuracy: float, classes: int
) -> Predictions:
    """Predictions whose errors fall on the images that are hard for everybody, and mostly on a neighbour class."""
    n = labels.size
    score = hardness + rng.normal(0, 0.6, n)
    wrong = score >= np.quantile(score, min(accuracy, 1 - 1 / n))
    near = (labels + np.where(rng.random(n) < 0.6, 5, rng.integers(1, classes, n))) % classes
    near = np.where(near == labels, (near + 1) % classes, near)
    given = np.where(wrong, near, labels)
    probabilities = rng.dirichlet(np.full(classes, 0.2), n) * 0.3
    probabilities[np.arange(n), given] += 0.7
    return Predictions(labels, probabilities / probabilities.sum(1, keepdims=True), index=np.arange(n))


def history(rng: np.random.Generator, model: dict[str, Any], epochs: int, validation: bool) -> list[dict[str, Any]]:
    rows = []
    for epoch in range(1, epochs + 1):
        progress = 1 - np.exp(-2.2 * epoch / epochs * 2)
        accuracy = 0.5 + (model["accuracy"] - 0.5) * progress + rng.normal(0, 0.002)
        loss = 0.05 + 3 * (1 - accuracy)
        rows.append(
            {
                "epoch": epoch,
                "step": 860 * epoch,
                "train_loss": float(loss * 0.8 + rng.uniform(0, 0.01)),
                "validation_loss": float(loss) if validation else None,
                "validation_accuracy": float(min(accuracy, 1)) if validation else None,
                "learning_rate": 0.001,
                "train_seconds": model["seconds"] * epoch / epochs,
                "wall_seconds": model["seconds"] * epoch / epochs * 1.2,
            }
        )
    return rows


def build_run(
    path: Path,
    *,
    models: dict[str, dict[str, Any]] | None = None,
    seeds: int = 3,
    n: int = 2000,
    epochs: int = 8,
    baseline: str | None = None,
    failures: dict[tuple[str, int], dict[str, Any]] | None = None,
    class_names: list[str] | None = None,
    validation: int = 5000,
    datasets: tuple[str, ...] = ("mnist",),
    entries: dict[str, dict[str, Any]] | None = None,
    conditions: dict[str, dict[str, Any]] | None = None,
    name: str = "MNIST: five architectures",
    salt: str = "",
    margin: float = 0.001,
    decide: str = "accuracy",
    groups: np.ndarray | None = None,
    target: float | None = None,
    data: dict[str, dict[str, Any]] | None = None,
    skill: dict[tuple[str, str], float] | None = None,
    search: dict[str, dict[str, Any]] | None = None,
) -> Path:
    """Write a run folder. `failures` maps (label, seed) to a record such as {"status": "failed", …}.

    `data` changes what the plan says of a dataset, `skill` the accuracy of a (label, dataset). `groups` are those of
    the test images, `decide` is the metric that does. `search` are searches by label, made by `searched.search`.
    """
    models = MODELS if models is None else models
    names = class_names or [str(digit) for digit in range(10)]
    folder = RunFolder(path)
    folder.create()
    plan: dict[str, Any] = {
        "name": name,
        "spec_file": "full.toml",
        "engine": "1",
        "baseline": baseline,
        "margin": margin,
        "decide": decide,
        "target": target,
        "metrics": [
            {"label": m, "name": m, "higher_is_better": up, "share": m != "log_loss", "summary": what}
            for m, up, what in METRICS
        ],
        "conditions": CONDITIONS,
        "datasets": [
            dataset_plan(label, names, n, validation)
            | {"test_groups": 0 if groups is None else len(np.unique(groups))}
            | (data or {}).get(label, {})
            for label in datasets
        ],
        "entries": [],
        "trials": [],
    }
    if search:
        plan["searches"] = [{"label": a, "dataset": b, **one["plan"]} for b in datasets for a, one in search.items()]
    for dataset in datasets:
        rng = np.random.default_rng(len(dataset))
        labels = rng.integers(0, len(names), n).astype(np.int64)
        hardness = rng.normal(0, 1, n)
        images = np.zeros((n, 1, 28, 28), np.uint8)
        together = {} if groups is None else {"groups": groups}
        folder.write_dataset(dataset, {"images": images, "labels": labels, "index": np.arange(n), **together})
        for place, (label, model) in enumerate(models.items()):
            plan["entries"].append(entry(label, list(range(seeds)), dataset, **(entries or {}).get(label, {})))
            if search and label in search:
                plan["entries"][-1]["chosen"] = search[label]["chosen"]
            for seed in range(seeds) if plan["entries"][-1].get("chosen") != [] else ():
                key = identity(label, dataset, seed, *filter(None, [salt]))
                plan["trials"].append({"id": key, "label": label, "dataset": dataset, "seed": seed})
                rng = np.random.default_rng([place, seed, len(dataset), *salt.encode()])
                record = (failures or {}).get((label, seed))
                if record is not None and record.get("status") == "pending":
                    continue
                files = folder.trial(label, dataset, seed=seed, identity=key)
                files.reset()
                for row in history(rng, model, epochs, validation > 0):
                    files.append_history(row)
                if record is None:
                    expected = (skill or {}).get((label, dataset), model["accuracy"])
                    accuracy = float(np.clip(expected + rng.normal(0, model["spread"]), 0, 1))
                    predictions = predict(rng, labels, hardness, accuracy, len(names))
                    files.write_predictions(predictions)
                    files.contributions.write(contributed(predictions))
                    where = {**CONDITIONS, **(conditions or {}).get(label, {})}
                    record = done(model, predictions, files.history()[-1], rng, len(names)) | {"conditions": where}
                files.write({"id": key, "label": label, "dataset": dataset, "seed": seed, **record})
    spec = '[benchmark]\nname = "MNIST: five architectures"\nseeds = [0, 1, 2]\n\n[[dataset]]\nname = "mnist"\n'
    environment = {
        "packages": {"torch": "2.14.1", "numpy": "2.4.6", "scikit-learn": "1.9.1"},
        "machine": {"processor": "AMD EPYC 9B14", "cores": 2, "memory": "8 GiB"},
        "distributions": {"mnistarena-cnn": "0.1.0", "mnistarena-vit": "0.1.0"},
        "mnistarena": "0.1.0",
        "command": "arena run specs/full.toml",
    }
    folder.write_start(spec, plan, environment)
    if search:
        found = [{"label": a, "dataset": b, "repeats": one["repeats"]} for b in datasets for a, one in search.items()]
        folder.write_searches({"searches": found})  # type: ignore[typeddict-item]
    return path


def contributed(predictions: Predictions) -> dict[str, Contribution]:
    labels, predicted = predictions.labels, predictions.predicted
    matrix = consistency.confusion(labels, predicted, predictions.n_classes).astype(np.float64)
    f1 = contributions.of_cells(*contributions.f1(matrix, weighted=True), labels, predicted)
    log_loss = contributions.log_loss(np.maximum(predictions.probabilities, 1e-7), labels)
    return {"log_loss": Contribution(log_loss), "f1_weighted": Contribution(f1)}


def done(
    model: dict[str, Any], predictions: Predictions, last: dict[str, Any], rng: np.random.Generator, classes: int
) -> dict[str, Any]:
    right = predictions.labels == predictions.predicted
    matrix = consistency.confusion(predictions.labels, predictions.predicted, classes)
    accuracy = float(right.mean())
    given = predictions.probabilities[np.arange(right.size), predictions.labels]
    seconds = model["seconds"] * float(rng.uniform(0.96, 1.04))
    parameters = model["parameters"]
    sizes = {
        "parameters": parameters,
        "trainable_parameters": parameters,
        "flops_per_image": 26 * (parameters or 0) // 10,
    }
    return {
        "status": "done",
        "metrics": {
            "accuracy": accuracy,
            "f1_weighted": accuracy + consistency.weighted_f1_gap(matrix),
            "log_loss": float(-np.log(np.maximum(given, 1e-7)).mean()),
        },
        "measurements": {
            "train_seconds": seconds,
            "wall_seconds": seconds * 1.2,
            "images_per_second": 55_000 * 8 / seconds,
            "epochs": 8,
            "steps": 6880,
            **(sizes if parameters else {}),  # a scikit-learn classifier has none
            "latency_ms": {
                "1": {"p50": seconds / 150, "p95": seconds / 120, "calls": 200},
                "256": {"p50": seconds / 3, "p95": seconds / 2.6, "calls": 200},
            },
            "peak_memory_bytes": 380 * 2**20 + (parameters or 0) * 12,
            "peak_gpu_memory_bytes": None,
            "train_loss": last["train_loss"],
            "validation_loss": last["validation_loss"],
            "validation_accuracy": last["validation_accuracy"],
            "selected_epoch": 8,
        },
    }


FAILED = {
    "status": "failed",
    "error": {
        "type": "RuntimeError",
        "message": "mat1 and mat2 shapes cannot be multiplied (64x512 and 400x120)",
        "traceback": 'Traceback (most recent call last):\n  File "trial.py", line 81\nRuntimeError: mat1 and …',
    },
}
TIMEOUT = {"status": "timeout", "error": {"type": "TimeLimit", "message": "stopped after 5m", "traceback": ""}}

if __name__ == "__main__":
    import sys

    build_run(Path(sys.argv[1]))
