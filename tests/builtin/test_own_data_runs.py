"""Data as others keep them, from the specs of docs/data.md to a report: one run of all of them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import tomli
from scipy.io import savemat

from ..helpers import ROOT, records
from .reading import png, write
from .test_listed_images import hugging_face

PAGE = (ROOT / "docs" / "data.md").read_text()
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
TABLES = {
    table["label"]: block[block.index("[[dataset]]") :].partition("[[model]]")[0]
    for block in BLOCKS
    for table in tomli.loads(block)["dataset"]
    if "label" in table
}
"""The [[dataset]] tables of the page that have a label, by this."""


def striped(labels, *shape):
    """Noise with a light row whose place is the label: rows and columns are the first two of `shape`."""
    images = np.random.RandomState(len(labels)).randint(0, 100, (len(labels), *shape), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label * 2] += 120
    return images


@pytest.fixture
def files(tmp_path):
    """What the specs of the page name."""
    two, three = np.arange(40) % 2, np.arange(30) % 3
    splits = {"train": three, "val": three[:6], "test": three[:12]}
    medical = {f"{split}_labels": of[:, None] for split, of in splits.items()}
    medical |= {f"{split}_images": striped(of, 8, 8, 3) for split, of in splits.items()}
    np.savez(tmp_path / "bloodmnist.npz", **medical)
    np.savez(tmp_path / "bands.npz", cubes=striped(two, 8, 8, 13), crop=two == 1, field=np.arange(40) // 4)
    digits = striped(two, 8, 8).reshape(40, -1)
    rows = (f"{label},{','.join(map(str, row))}" for label, row in zip(two, digits, strict=True))
    write(tmp_path / "train.csv", "label," + ",".join(f"pixel{n}" for n in range(64)), *rows)
    (tmp_path / "photos").mkdir()
    for number, image in enumerate(striped(two, 16, 16, 3)):
        (tmp_path / "photos" / f"{number}.png").write_bytes(png(image))
    write(tmp_path / "labels.csv", "file,label", *(f"{number}.png,{'ab'[label]}" for number, label in enumerate(two)))
    for split, of in (("train-00000", three), ("train-00001", three), ("test-00000", three[:12])):
        hugging_face(tmp_path / "data" / f"{split}.parquet", striped(of, 8, 8, 3), of.tolist())
    for split, of in (("train", three), ("test", three[:12])):
        content = {"X": striped(of, 8, 8, 3).transpose(1, 2, 3, 0), "y": of[:, None] + 1}
        savemat(tmp_path / f"{split}_32x32.mat", content)


def test_each_is_read_by_a_short_spec_and_ends_in_a_report(arena, files, tmp_path, write_spec):
    assert TABLES.keys() == {"photos", "kaggle", "hub", "blood", "bands", "house numbers"}
    assert all(len(block.splitlines()) + 6 <= 15 for block in TABLES.values())
    head = '[benchmark]\nname = "Mine"\nseeds = [0]\n'
    spec = write_spec(head + TABLES["kaggle"] + '[[model]]\nname = "logistic-regression"\n', "one.toml")
    assert arena("validate", spec).out.startswith(f"{spec}: valid; 1 model, 1 dataset, 1 trial\n")
    spec = write_spec(head + "".join(TABLES.values()) + '[[model]]\nname = "logistic-regression"\n')
    done = arena("run", spec, "--out", "run")
    assert done.status == 0, done.out + done.err
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    shapes = {data["label"]: data["image_shape"] for data in plan["datasets"]}
    assert shapes["bands"] == [13, 8, 8]
    assert shapes["photos"] == [3, 32, 32]
    accuracies = {record["dataset"]: record["metrics"]["accuracy"] for record in records(tmp_path / "run")}
    assert accuracies == dict.fromkeys(TABLES, 1.0), "the stripes are seen in every reader's images"
    done = arena("report", "run")
    assert done.status == 0, done.out + done.err
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    for label in TABLES:
        assert f"on {label}" in page
