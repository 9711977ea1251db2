"""A trained model as an ONNX file: the same answers without torch, or no file."""

from __future__ import annotations

import json

import numpy as np
import pytest

import mnistarena
from mnistarena.inference import onnx, onnx_benchmark
from mnistarena.inference.find import find_trial

# The random transform has its place in training only; the others go into the file.
SPEC = {
    "benchmark": {"name": "small"},
    "dataset": [
        {
            "name": "digits",
            "train_limit": 200,
            "test_limit": 60,
            "transforms": [{"name": "resize", "size": 12}, "normalize", "random-affine"],
        }
    ],
    "training": {"steps": 3},
    "model": [{"name": "cnn"}, {"name": "logistic-regression", "transforms": ["normalize"]}],
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "run"
    mnistarena.run(SPEC, out=folder, options=mnistarena.Options(jobs=1, threads=1))
    return folder


@pytest.fixture
def export(arena, trained):
    """`arena export-model`: status, and all that was said."""

    def call(label, *options):
        done = arena("export-model", trained, label, "-o", "m.onnx", *options)
        return done.status, done.out + done.err

    return call


def test_onnxruntime_says_what_torch_said(export, trained, tmp_path):
    import onnxruntime

    status, out = export("cnn")
    assert status == 0
    assert "largest difference from the model's own probabilities, on 60 test images: " in out
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    run = mnistarena.load_run(trained)
    trial = find_trial(run, "cnn")
    images = run.test_split("digits")["images"].astype(np.float32) / 255
    (found,) = session.run(["probabilities"], {"images": images})
    np.testing.assert_allclose(found, trial.predictions().probabilities, rtol=0, atol=1e-5)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["class_names"]) == [str(digit) for digit in range(10)]
    assert (about["label"], about["dataset"], about["seed"], about["trial"]) == ("cnn", "digits", "0", trial.id)


def test_a_benchmark_has_both_files_beside_the_trained_model(export, trained, tmp_path, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnx_benchmark, "SECONDS", 0.1)
    status, out = export("cnn", "--benchmark")
    assert status == 0, out
    assert "m.int8.onnx: in int8, " in out
    assert "calibrated on 200 training images" in out
    run = mnistarena.load_run(trained)
    found = find_trial(run, "cnn").predictions()
    session = onnxruntime.InferenceSession(tmp_path / "m.int8.onnx")
    images = run.test_split("digits")["images"].astype(np.float32) / 255
    (answers,) = session.run(["probabilities"], {"images": images})
    right, before = answers.argmax(1) == found.labels, found.predicted == found.labels
    rows = {line.rpartition("%")[0].rstrip("\u202f ").rpartition(" ")[0].strip(): line for line in out.splitlines()}
    assert f"{100 * before.mean():.2f}" in rows["as trained, by torch"]
    assert f"{100 * right.mean():.2f}" in rows["onnxruntime, int8"]
    assert rows["onnxruntime, int8"].count("s") >= 4, "two latencies, each with its 95th percentile"
    alone, other = int((right & ~before).sum()), int((before & ~right).sum())
    assert f"alone is right on {alone} image" in out
    assert f"the other alone on {other} (p" in out
    assert "onnxruntime, float32 is practically equal to the model as trained" not in out, "60 images cannot say so"
    int8 = (tmp_path / "m.int8.onnx").read_bytes()
    (tmp_path / "m.onnx").unlink()
    status, said = export("cnn", "--benchmark")
    assert (status, "m.int8.onnx exists" in said) == (2, True)
    status, said = export("logistic-regression", "--benchmark", "--force")
    assert status == 0, said
    assert "not compared in int8: a classifier of scikit-learn is not quantised" in said
    assert "onnxruntime, float32" in said
    assert (tmp_path / "m.int8.onnx").read_bytes() == int8


def test_an_existing_file_stays_unless_forced(export, tmp_path):
    (tmp_path / "m.onnx").write_text("mine")
    status, said = export("cnn")
    assert (status, (tmp_path / "m.onnx").read_text()) == (2, "mine")
    assert "--force" in said


def test_a_file_that_answers_otherwise_is_not_written(export, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "export", lambda restored: b"")
    monkeypatch.setattr(onnx, "difference", lambda data, restored, images: 0.01)
    status, said = export("cnn")
    assert status == 1
    assert "on 60 test images: 0.01; more than 0.0001" in said
    assert not list(tmp_path.glob("*.onnx*"))


def test_what_the_exporter_does_not_support_is_said_in_its_words(export, tmp_path, monkeypatch):
    def asks_the_data(self, images):
        return self.model(images if images.sum() > 0 else -images).softmax(1)

    monkeypatch.setattr(onnx.WholeModel, "forward", asks_the_data)
    status, said = export("cnn")
    assert status == 1
    assert "cnn on digits, seed 0 cannot become an ONNX file: torch's exporter says: " in said
    assert len(said.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*.onnx*"))


def test_without_the_extra_the_pip_command_is_named(export, monkeypatch):
    monkeypatch.setattr(onnx, "NEEDED", ("onnx", "not_there"))
    status, said = export("cnn")
    assert status == 1
    assert 'not_there must be installed: pip install "mnistarena[onnx]"' in said
