"""A scikit-learn classifier as an ONNX file: the same answers without scikit-learn, or no file and a sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest

import mnistarena
from mnistarena.inference.find import find_trial

# No training image is of class 4. "strict" refuses such labels, so that it is fitted to others in their place; it is
# of a class that skl2onnx does not know until its plugin registers a converter. "means" is of one without a converter.
PLUGIN = """
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from mnistarena import Dataset, DatasetDef, ModelDef, Params, hookimpl

class Nothing(Params):
    "No parameters."

def gapped(params, context):
    from sklearn.datasets import load_digits
    raw = load_digits()
    images, labels = np.rint(raw.images * 255 / 16).astype(np.uint8)[:, None], raw.target.astype(np.int64)
    known = np.flatnonzero(labels[:400] != 4)
    names = tuple("0123456789")
    return Dataset(
        images[known], labels[known], test_images=images[400:700], test_labels=labels[400:700], class_names=names
    )

class Strict(LogisticRegression):
    def fit(self, X, y):
        if len(np.unique(y)) <= y.max():
            raise ValueError("labels have gaps")
        return super().fit(X, y)

class Means(BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == c].mean(0) for c in self.classes_])
        return self
    def predict(self, X):
        return self.classes_[((X[:, None] - self.means_) ** 2).sum(2).argmin(1)]

def strict(params, task):
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from skl2onnx.operator_converters.linear_classifier import convert_sklearn_linear_classifier
    options = {"zipmap": [True, False], "nocl": [True, False], "raw_scores": [True, False]}
    update_registered_converter(
        Strict, "Strict", calculate_linear_classifier_output_shapes, convert_sklearn_linear_classifier, options=options
    )
    return Strict()

def pipeline(last):
    def build(params, task):
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        return make_pipeline(StandardScaler(), PCA(10), last())
    return build

def svc():
    from sklearn.svm import SVC
    return SVC()

@hookimpl
def arena_datasets():
    return [DatasetDef("gapped", "digits", params=Nothing, load=gapped)]

@hookimpl
def arena_models():
    def fitted(name, build, **more):
        return ModelDef(name, "fitted", params=Nothing, build=build, uses=(), deterministic=True, **more)
    return [
        fitted("pipeline", pipeline(LogisticRegression), output="logits"),
        fitted("scores", pipeline(svc), output="scores"),
        fitted("strict", strict, output="labels"),
        fitted("means", lambda params, task: Means()),
    ]
"""

CONVERTED = {
    "logistic-regression": "probabilities",
    "knn": "probabilities",
    "pipeline": "probabilities",
    "scores": "scores",
    "strict": "labels",
}
"""The label of each model that has a converter, and the name of its file's output."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    (folder / "mine.py").write_text(PLUGIN)
    spec = {
        "benchmark": {"name": "fitted"},
        "dataset": [{"name": "gapped", "transforms": [{"name": "resize", "size": 6}, "normalize"]}],
        "model": [{"name": name} for name in (*CONVERTED, "means")],
    }
    options = mnistarena.Options(jobs=1, threads=1)
    return mnistarena.run(spec, out=folder / "run", plugins=[folder / "mine.py"], options=options)


@pytest.fixture
def export(arena, trained):
    """`arena export-model`: status, and all that was said."""

    def call(label):
        plugin = trained.path.parent / "mine.py"
        done = arena("export-model", trained.path, label, "-o", "m.onnx", "--plugin", plugin)
        return done.status, done.out + done.err

    return call


@pytest.mark.parametrize("label", CONVERTED)
def test_onnxruntime_says_what_the_classifier_said(export, trained, tmp_path, label):
    import onnxruntime

    status, out = export(label)
    assert status == 0, out
    name = CONVERTED[label]
    assert f"largest difference from the model's own {name}, on 256 test images: " in out
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert [one.name for one in session.get_inputs()] == ["images"]
    assert [one.name for one in session.get_outputs()] == [name]
    trial = find_trial(trained, label)
    images = trained.test_split("gapped")["images"].astype(np.float32) / 255
    (found,) = session.run(None, {"images": images})
    np.testing.assert_allclose(found, trial.predictions().values, rtol=1e-5, atol=1e-5)
    assert found.dtype == (np.int64 if name == "labels" else np.float32)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["class_names"]) == list("0123456789")
    assert (about["label"], about["dataset"], about["seed"], about["trial"]) == (label, "gapped", "0", trial.id)


def test_a_class_without_a_converter_is_named_with_the_remedy(export, tmp_path):
    status, said = export("means")
    assert status == 1
    assert "means on gapped, seed 0 cannot become an ONNX file: skl2onnx cannot convert Means: " in said
    assert "skl2onnx.update_registered_converter" in said
    assert len(said.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*.onnx*"))
