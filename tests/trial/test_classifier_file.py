"""Stored classifiers: the same answers without fitting again, and no file that could do anything else."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mnistarena.errors import TrialError
from mnistarena.trial.classifier_file import classifier_bytes, classifier_from

from ..helpers import by_label

random = np.random.default_rng(0)
FEATURES = random.random((90, 6)).astype(np.float32)
LABELS = FEATURES[:, :3].argmax(1).astype(np.int64)


def loaded(data):
    return classifier_from(data, package="nothing", features=6)


def altered(data: bytes, change) -> bytes:
    """The file with another schema."""
    old, new = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(new, "w") as file:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            file.writestr(name, content)
    return new.getvalue()


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(),
        RandomForestClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_it_answers_the_same(classifier):
    classifier.fit(FEATURES, LABELS)
    found = loaded(classifier_bytes(classifier))
    np.testing.assert_array_equal(found.predict_proba(FEATURES), classifier.predict_proba(FEATURES))
    assert found.get_params() == classifier.get_params()


HOSTILE = {
    "a function": {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "content": ""},
    "a function of numpy that runs code": {
        "__class__": "runstring",
        "__module__": "numpy.testing",
        "__loader__": "FunctionNode",
        "content": "",
    },
    "a function of numpy, called": {
        "__class__": "save",
        "__module__": "numpy",
        "__loader__": "ConstructorFromReduceNode",
        "content": {
            "__class__": "tuple",
            "__module__": "builtins",
            "__loader__": "TupleNode",
            "content": [
                {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": '"made.npy"'},
                {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1"},
            ],
        },
    },
    "a class of numpy that writes files": {
        "__class__": "memmap",
        "__module__": "numpy",
        "__loader__": "ConstructorFromReduceNode",
        "content": {
            "__class__": "tuple",
            "__module__": "builtins",
            "__loader__": "TupleNode",
            "content": [
                {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": '"made.npy"'},
            ],
        },
    },
    "a module that is not imported": {"__class__": "Thing", "__module__": "antigravity", "__loader__": "ObjectNode"},
    "a class that a trusted module imported": {
        "__class__": "Path",
        "__module__": "sklearn.datasets._base",
        "__loader__": "ObjectNode",
    },
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_before_anything_is_made(name, tmp_path, monkeypatch):
    import sys

    monkeypatch.chdir(tmp_path)
    data = classifier_bytes(LogisticRegression().fit(FEATURES, LABELS))
    hostile = altered(data, lambda schema: schema["content"]["content"].update(coef_=HOSTILE[name]))
    with pytest.raises(
        TrialError, match=f"it holds {HOSTILE[name]['__module__']}.{HOSTILE[name]['__class__']}, and only"
    ):
        loaded(hostile)
    assert not list(tmp_path.iterdir())
    assert "antigravity" not in sys.modules


def test_functions_and_trees_for_neighbours_are_not_read():
    made = make_pipeline(FunctionTransformer(altered, check_inverse=False), LogisticRegression())
    with pytest.raises(TrialError, match=r"it holds .*altered, and only"):
        loaded(classifier_bytes(made))
    near = KNeighborsClassifier(algorithm="kd_tree").fit(FEATURES, LABELS)
    with pytest.raises(TrialError, match=r"it holds .*KDTree, and only"):
        loaded(classifier_bytes(near))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("left_child", 10**6, "a tree leads outside its nodes"),
        ("right_child", 0, "a tree leads outside its nodes"),
        ("feature", 6, "a tree asks for a feature that the images do not have"),
        ("feature", -5, "a tree asks for a feature that the images do not have"),
    ],
)
def test_a_tree_that_leads_astray_is_refused(field, value, said):
    forest = RandomForestClassifier(2, random_state=0).fit(FEATURES, LABELS)
    tree = forest.estimators_[1].tree_
    state = tree.__getstate__()
    state["nodes"][field][0] = value
    tree.__setstate__(state)
    with pytest.raises(TrialError, match=said):
        loaded(classifier_bytes(forest))


@pytest.mark.parametrize(("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", 6), ("is_categorical", 1)])
def test_a_tree_of_histogram_boosting_that_leads_astray_is_refused(field, value):
    boosting = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5).fit(FEATURES, LABELS)
    boosting._predictors[1][2].nodes[field][0] = value
    with pytest.raises(TrialError, match="it cannot be read: a tree "):
        loaded(classifier_bytes(boosting))


def test_no_archive_and_another_version_are_refused(monkeypatch):
    import sklearn.base

    with pytest.raises(TrialError, match="it cannot be read: BadZipFile"):
        loaded(b"nothing")
    with monkeypatch.context() as patch:
        patch.setattr(sklearn.base, "__version__", "0.1")
        data = classifier_bytes(LogisticRegression().fit(FEATURES, LABELS))
    with pytest.raises(TrialError, match="it cannot be read: InconsistentVersionWarning"):
        loaded(data)


PLUGIN = '''
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from mnistarena import ModelDef, Params, hookimpl


class NoParams(Params):
    pass


class Means(ClassifierMixin, BaseEstimator):
    """The nearest mean of some training images, which it draws."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        some = np.random.RandomState(self.random_state).permutation(len(X))[: len(X) // 2]
        X, y = X[some], y[some]
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == c].mean(0) for c in self.classes_])
        return self

    def predict_proba(self, X):
        distance = ((X[:, None] - self.means_) ** 2).sum(2)
        found = np.exp(distance.min(1, keepdims=True) - distance)
        return found / found.sum(1, keepdims=True)


class OfNoLibrary:
    def get_params(self, deep=True):
        return {}

    def set_params(self, **values):
        return self

    def fit(self, X, y):
        self.inner = Means(0).fit(X, y)
        self.classes_ = self.inner.classes_
        return self

    def predict_proba(self, X):
        return self.inner.predict_proba(X)


@hookimpl
def arena_models():
    for name, kind in (("means", Means), ("of-no-library", OfNoLibrary)):
        yield ModelDef(name, name, params=NoParams, build=lambda params, task, kind=kind: kind())
'''

SPEC = """
plugins = ["means.py"]
[benchmark]
name = "means"
metrics = ["accuracy"]
seeds = [3]
[[dataset]]
name = "digits"
train_limit = 300
transforms = ["normalize"]
[[model]]
name = "means"
[[model]]
name = "of-no-library"
[[model]]
name = "random-forest"
params = { n_estimators = 5 }
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    import mnistarena

    folder = tmp_path_factory.mktemp("means")
    (folder / "means.py").write_text(PLUGIN)
    (folder / "means.toml").write_text(SPEC)
    mnistarena.run(folder / "means.toml", out=folder / "run", options=mnistarena.Options(jobs=1, threads=1))
    return folder


@pytest.fixture
def never_fit(monkeypatch):
    import mnistarena.trial.trained as trained

    def refuse(*arguments, **more):
        raise AssertionError("it was fitted again")

    monkeypatch.setattr(trained, "fit_classifier", refuse)


@pytest.mark.parametrize("label", ["means", "random-forest"])
def test_a_restored_classifier_is_the_stored_one(stored, never_fit, label):
    import mnistarena
    from mnistarena.inference.find import find_trial

    run = mnistarena.load_run(stored / "run")
    trial = find_trial(run, label)
    assert trial.has_model
    assert "model.skops" in trial.files
    found = trial.restore(plugins=[stored / "means.py"]).probabilities(run.test_split("digits")["images"])
    np.testing.assert_allclose(found, trial.predictions().probabilities, rtol=0, atol=1e-6)


def test_one_that_cannot_be_stored_says_so_and_is_fitted_again(stored):
    import mnistarena
    from mnistarena.inference.find import find_trial

    record = by_label(stored / "run")["of-no-library"]
    assert "model.skops" not in record["files"]
    assert any(
        note.startswith("the trained model is not stored: it holds arena_plugin_means") for note in record["notes"]
    )
    run = mnistarena.load_run(stored / "run")
    trial = find_trial(run, "of-no-library")
    assert not trial.has_model
    found = trial.restore(plugins=[stored / "means.py"]).probabilities(run.test_split("digits")["images"])
    np.testing.assert_allclose(found, trial.predictions().probabilities, rtol=0, atol=1e-6)


def test_a_view_asks_the_stored_one(stored, arena, tmp_path):
    """Another classifier is put in its place: what the view says comes from the file, not from a fit."""
    import shutil

    from mnistarena.store.trial_folder import TrialFolder

    for name in ("means.py", "means.toml"):
        shutil.copy(stored / name, tmp_path)
    run = tmp_path / "run"
    shutil.copytree(stored / "run", run)
    path = next(run.glob("trials/means-*"))
    folder = TrialFolder(path)
    record = folder.read()
    images = np.load(next(run.glob("datasets/*.npz")))["images"]
    constant = LogisticRegression().fit(images.reshape(len(images), -1)[:2], [0, 5])
    constant.coef_ *= 0
    constant.intercept_ += 50
    folder.write_model(classifier_bytes(constant), "model.skops")
    folder.write(record)
    text = (tmp_path / "means.toml").read_text() + '[[evaluation]]\nname = "dark"\ntransforms = ["occlusion"]\n'
    (tmp_path / "means.toml").write_text(text)
    done = arena("run", "means.toml", "--out", "run", "--plugin", "means.py", "--only", "means")
    assert done.status == 0, done.err
    views = np.load(path / "views.npz")["predicted"]
    assert (views == 5).all()


def test_an_altered_file_is_damage_and_clean_removes_it(stored, arena, tmp_path):
    import shutil

    shutil.copytree(stored / "run", tmp_path / "run")
    shutil.copy(stored / "means.py", tmp_path)
    path = next((tmp_path / "run").glob("trials/random-forest-*/model.skops"))
    path.write_bytes(path.read_bytes() + b" ")
    done = arena("verify", "run", "--sample", "0", "--plugin", "means.py")
    assert done.status == 1
    assert "model.skops was altered" in done.out
    removed = arena("clean", "run", "--models")
    assert removed.status == 0, removed.err
    assert not list((tmp_path / "run").glob("trials/*/model.skops"))


def test_keep_models_false_stores_none(arena, tmp_path):
    (tmp_path / "none.toml").write_text(
        '[benchmark]\nname = "none"\nkeep_models = false\n[[dataset]]\nname = "digits"\ntrain_limit = 100\n'
        '[[model]]\nname = "knn"\n'
    )
    assert arena("run", "none.toml").status == 0
    assert not list((tmp_path / "runs").glob("none/trials/*/model.skops"))
