"""Fitting a scikit-learn classifier: who gets the validation images, and what becomes of labels with gaps."""

from __future__ import annotations

import numpy as np
import pytest

from mnistarena.errors import TrialError
from mnistarena.trial.fitting import fit_arguments, fit_classifier

from ..helpers import by_label

random = np.random.default_rng(0)
FEATURES = random.random((120, 6)).astype(np.float32)
LABELS = FEATURES[:, :3].argmax(1).astype(np.int64)
LABELS[::4] = random.integers(0, 3, 30)  # wrong labels: more rounds are worse
TRAIN, HELD = (FEATURES[:90], LABELS[:90]), (FEATURES[90:], LABELS[90:])


class Plain:
    """One of no library: it keeps what its `fit` got."""

    def __init__(self, **parameters):
        self.parameters = parameters

    def get_params(self, deep=True):
        return self.parameters

    def fit(self, X, y):
        self.got = {}


class TakesEvalSet(Plain):
    def fit(self, X, y, eval_set=None):
        self.got = {"eval_set": eval_set}


class Prints(Plain):
    def fit(self, X, y, *, eval_set=None, verbose=True):
        self.got = {"eval_set": eval_set, "verbose": verbose}


class TakesPair(Plain):
    def fit(self, X, y, eval_set=None, *, eval_X=None, eval_y=None):
        self.got = {"eval_X": eval_X, "eval_y": eval_y}


class TakesXval(Plain):
    def fit(self, X, y, *, X_val=None, y_val=None):
        self.got = {"X_val": X_val, "y_val": y_val}


class EarlyStopping:
    """What xgboost calls its callback."""


STOPS = [
    {"early_stopping_rounds": 5},
    {"early_stopping_round": 5},
    {"od_wait": 3},
    {"od_type": "Iter"},
    {"callbacks": [EarlyStopping()]},
]


@pytest.mark.parametrize("asked", STOPS)
def test_who_takes_an_evaluation_set_and_stops_early_gets_the_validation_images(asked):
    assert fit_arguments(TakesEvalSet(**asked), *HELD) == {"eval_set": [HELD]}
    assert fit_arguments(Prints(**asked), *HELD) == {"eval_set": [HELD], "verbose": False}
    assert fit_arguments(TakesPair(**asked), *HELD) == {"eval_X": HELD[0], "eval_y": HELD[1]}
    assert fit_arguments(Plain(**asked), *HELD) == {}


@pytest.mark.parametrize(
    "idle", [{}, {"early_stopping_rounds": None}, {"early_stopping_round": 0}, {"early_stopping": False}]
)
def test_who_does_not_stop_early_gets_none(idle):
    for kind in (TakesEvalSet, Prints, TakesXval):
        assert fit_arguments(kind(**idle), *HELD) == {}


def test_scikit_learns_way():
    found = fit_arguments(TakesXval(early_stopping=True), *HELD)
    assert found.keys() == {"X_val", "y_val"}
    assert found["X_val"] is HELD[0]
    assert found["y_val"] is HELD[1]
    assert fit_arguments(TakesXval(early_stopping="auto"), *HELD) == {}, "it decides by itself, as ever"
    none = HELD[0][:0], HELD[1][:0]
    assert fit_arguments(TakesXval(early_stopping=True), *none) == {}, "it sets images aside by itself"


def test_without_validation_images_early_stopping_is_refused_before_the_fit():
    none = HELD[0][:0], HELD[1][:0]
    classifier = TakesEvalSet(early_stopping_rounds=5)
    with pytest.raises(
        TrialError, match=r"TakesEvalSet \(early_stopping_rounds = 5\) needs validation images: set val"
    ):
        fit_classifier(classifier, *TRAIN, held=none)
    assert not hasattr(classifier, "got")


def test_early_stopping_of_a_part_is_refused():
    inner = TakesEvalSet(early_stopping_rounds=5)
    whole = Plain(last=inner, last__early_stopping_rounds=5)
    with pytest.raises(TrialError, match="last__early_stopping_rounds = 5 asks for early stopping within Plain"):
        fit_arguments(whole, *HELD)
    assert fit_arguments(Plain(last=Plain(), last__early_stopping_rounds=5), *HELD) == {}


def test_the_evaluation_set_has_only_classes_that_were_trained_and_the_note_says_so():
    notes: list[str] = []
    classifier = TakesEvalSet(early_stopping_rounds=5)
    some = TRAIN[1] != 2
    fit_classifier(classifier, TRAIN[0][some], TRAIN[1][some], held=HELD, note=notes.append)
    ((features, labels),) = classifier.got["eval_set"]
    known = HELD[1] != 2
    np.testing.assert_array_equal(features, HELD[0][known])
    np.testing.assert_array_equal(labels, HELD[1][known])
    assert notes == [
        f"its early stopping used the {known.sum()} of 30 validation images whose class has a training image: its "
        "score on them is no independent one"
    ]


def xgboost(**parameters):
    found = pytest.importorskip("xgboost")
    return found.XGBClassifier(n_estimators=40, max_depth=2, learning_rate=0.5, n_jobs=1, **parameters)


def lightgbm(**parameters):
    found = pytest.importorskip("lightgbm")
    return found.LGBMClassifier(n_estimators=40, min_child_samples=3, n_jobs=1, verbose=-1, **parameters)


def catboost(**parameters):
    found = pytest.importorskip("catboost")
    return found.CatBoostClassifier(
        iterations=40, learning_rate=0.5, thread_count=1, allow_writing_files=False, **parameters
    )


@pytest.mark.parametrize("make", [xgboost, lightgbm, catboost])
def test_the_real_ones_stop_where_a_plain_fit_does_and_print_nothing(make, capfd):
    notes: list[str] = []
    ours, plain = make(early_stopping_rounds=3), make(early_stopping_rounds=3)
    capfd.readouterr()
    assert fit_classifier(ours, *TRAIN, held=HELD, note=notes.append) is ours
    assert capfd.readouterr().out == ""
    plain.fit(*TRAIN, eval_set=[HELD])
    np.testing.assert_array_equal(ours.predict_proba(HELD[0]), plain.predict_proba(HELD[0]))
    whole = make()
    whole.fit(*TRAIN)
    assert not np.array_equal(whole.predict_proba(HELD[0]), ours.predict_proba(HELD[0])), "it stopped earlier"
    assert notes == ["its early stopping used the 30 validation images: its score on them is no independent one"]


@pytest.mark.parametrize("make", [xgboost, lightgbm, catboost])
def test_the_real_ones_are_refused_without_validation_images(make):
    with pytest.raises(TrialError, match="needs validation images"):
        fit_classifier(make(early_stopping_rounds=3), *TRAIN, held=(HELD[0][:0], HELD[1][:0]))


def test_histogram_boosting_of_scikit_learn():
    from inspect import signature

    from sklearn.ensemble import HistGradientBoostingClassifier

    if "X_val" not in signature(HistGradientBoostingClassifier.fit).parameters:
        pytest.skip("scikit-learn before 1.7")
    ours, plain = (
        HistGradientBoostingClassifier(max_iter=20, early_stopping=True, n_iter_no_change=2, random_state=0)
        for _ in range(2)
    )
    fit_classifier(ours, *TRAIN, held=HELD)
    plain.fit(*TRAIN, X_val=HELD[0], y_val=HELD[1])
    np.testing.assert_array_equal(ours.predict_proba(HELD[0]), plain.predict_proba(HELD[0]))


def test_labels_with_a_gap_are_relabelled_for_who_refuses_them():
    gap = np.array([1, 4, 7])
    notes: list[str] = []
    found = fit_classifier(
        xgboost(early_stopping_rounds=3), TRAIN[0], gap[TRAIN[1]], held=(HELD[0], gap[HELD[1]]), note=notes.append
    )
    plain = xgboost(early_stopping_rounds=3)
    plain.fit(*TRAIN, eval_set=[HELD], verbose=False)
    assert found.classes_.tolist() == [1, 4, 7]
    np.testing.assert_array_equal(found.predict_proba(HELD[0]), plain.predict_proba(HELD[0]))
    np.testing.assert_array_equal(found.predict(HELD[0]), gap[plain.predict(HELD[0])])
    assert not hasattr(found, "decision_function")
    assert any("it refused the labels 1, 4, 7" in note and "fitted to 0 to 2" in note for note in notes)


def test_who_takes_labels_with_a_gap_is_fitted_to_them():
    from sklearn.linear_model import LogisticRegression

    classifier = LogisticRegression()
    assert fit_classifier(classifier, TRAIN[0], TRAIN[1] * 3, held=(HELD[0][:0], HELD[1][:0])) is classifier
    assert classifier.classes_.tolist() == [0, 3, 6]


def test_another_fault_is_told_as_it_is():
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(ValueError, match="NaN"):
        fit_classifier(LogisticRegression(), TRAIN[0] * np.nan, TRAIN[1] * 3, held=(HELD[0][:0], HELD[1][:0]))


PLUGIN = '''
import numpy as np
from mnistarena import ModelDef, Params, hookimpl


class NoParams(Params):
    pass


class Nearest:
    """The nearest mean; of the powers of the pixels it takes the one that is best on its evaluation set."""

    def get_params(self, deep=True):
        return {"early_stopping_rounds": 1}

    def set_params(self, **values):
        return self

    def fit(self, X, y, eval_set=None, verbose=True):
        self.classes_ = np.unique(y)
        assert not verbose
        ((held, labels),) = eval_set
        rights = []
        for self.power in (0.25, 1.0, 2.0):
            self.means = np.stack([(X**self.power)[y == c].mean(0) for c in self.classes_])
            rights.append((self.predict_proba(held).argmax(1) == labels).mean())
        self.power = (0.25, 1.0, 2.0)[int(np.argmax(rights))]
        self.means = np.stack([(X**self.power)[y == c].mean(0) for c in self.classes_])
        print("power", self.power, len(labels))
        return self

    def predict_proba(self, X):
        distance = ((X[:, None] ** self.power - self.means) ** 2).sum(2)
        found = np.exp(-distance + distance.min(1, keepdims=True))
        return found / found.sum(1, keepdims=True)


@hookimpl
def arena_models():
    yield ModelDef("nearest", "nearest mean", params=NoParams, build=lambda params, task: Nearest(), deterministic=True)
'''

SPEC = """
plugins = ["near.py"]
[benchmark]
name = "near"
metrics = ["accuracy"]
[[dataset]]
name = "digits"
{validation}
[[model]]
name = "nearest"
"""


def test_a_trial_hands_them_over_says_so_and_fits_again_to_the_same(arena, tmp_path):
    import mnistarena
    from mnistarena.inference.find import find_trial

    (tmp_path / "near.py").write_text(PLUGIN)
    (tmp_path / "near.toml").write_text(SPEC.format(validation="validation = 200"))
    done = arena("run", "near.toml")
    assert done.status == 0, done.err
    found = by_label(tmp_path / "runs" / "near")["nearest"]
    assert (
        "its early stopping used the 200 validation images: its score on them is no independent one" in found["notes"]
    )
    assert found["metrics"]["accuracy"] > 0.8
    run = mnistarena.load_run(tmp_path / "runs" / "near")
    trial = find_trial(run, "nearest")
    images = run.test_split("digits")["images"][:30]
    again = trial.restore(plugins=[tmp_path / "near.py"])
    np.testing.assert_allclose(again.probabilities(images), trial.predictions().probabilities[:30], atol=1e-6)


def test_a_trial_without_validation_images_fails_in_our_words(arena, tmp_path):
    (tmp_path / "near.py").write_text(PLUGIN)
    (tmp_path / "near.toml").write_text(SPEC.format(validation=""))
    arena("run", "near.toml")
    found = by_label(tmp_path / "runs" / "near")["nearest"]
    assert found["status"] == "failed"
    assert (
        "the early stopping of Nearest (early_stopping_rounds = 1) needs validation images" in found["error"]["message"]
    )
