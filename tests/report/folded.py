"""A generated run folder whose trials are of one seed on several folds, made of one whose trials are of several."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from mnistarena.store.run_folder import RunFolder


def as_folds(run: Path) -> Path:
    """Make each seed of a finished run a fold of seed 0, with test images, and groups of them, of its own."""
    folder, plan = RunFolder(run), json.loads((run / "plan.json").read_text())
    folds = len({trial["seed"] for trial in plan["trials"]})
    for dataset in plan["datasets"]:
        arrays = dict(folder.dataset(dataset["label"]))
        n = len(arrays["labels"])
        tiled = {name: np.concatenate([values] * folds) for name, values in arrays.items() if name != "groups"}
        tiled["index"] = np.arange(folds * n)
        if "groups" in arrays:
            apart = int(arrays["groups"].max()) + 1
            tiled["groups"] = np.concatenate([arrays["groups"] + at * apart for at in range(folds)])
            dataset["test_groups"] *= folds
        folder.write_dataset(dataset["label"], tiled)
        dataset |= {"folds": folds, "splits": None, "n_images": folds * n, "n_test": folds * n}
    for trial in plan["trials"]:
        files = folder.trial(trial["label"], trial["dataset"], seed=trial["seed"], identity=trial["id"])
        trial["seed"], trial["split"] = 0, trial["seed"]
        record = files.read()
        found = files.predictions(record["files"])
        files.write_predictions(replace(found, index=found.index + trial["split"] * len(found.index)))
        files.write({**record, "seed": 0, "split": trial["split"]})
    for entry in plan["entries"]:
        entry["seeds"] = [0]
    (run / "plan.json").write_text(json.dumps(plan))
    return run
