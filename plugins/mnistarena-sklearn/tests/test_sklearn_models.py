"""scikit-learn's classifiers as the engine needs them: fit, predict_proba, and the same twice."""

from __future__ import annotations

import mnistarena_sklearn
import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.datasets import load_digits

import mnistarena.testing
from mnistarena import Task

MODELS = {model.name: model for model in mnistarena_sklearn.arena_models()}
TASK = Task((1, 8, 8), 10, class_names=tuple("0123456789"), n_train=400)


def fitted(name, seed=0):
    digits = load_digits()
    classifier = MODELS[name].build(MODELS[name].params(), TASK)
    if "random_state" in classifier.get_params():
        classifier.set_params(random_state=seed)
    classifier.fit(digits.data[:400] / 16, digits.target[:400])
    chances = classifier.predict_proba(digits.data[400:800] / 16)
    return chances, float((classifier.classes_[chances.argmax(1)] == digits.target[400:800]).mean())


def test_the_four_baselines_are_there():
    assert set(MODELS) == {"logistic-regression", "random-forest", "svm-rbf", "knn"}


@pytest.mark.parametrize("name", MODELS)
def test_it_learns_and_its_probabilities_sum_to_one(name):
    chances, accuracy = fitted(name)
    assert chances.shape == (400, 10)
    np.testing.assert_allclose(chances.sum(1), 1)
    assert accuracy > 0.7, "chance is 0.1"


@pytest.mark.parametrize("name", MODELS)
def test_deterministic_is_set_where_the_seed_does_not_matter(name):
    same = np.array_equal(fitted(name, seed=1)[0], fitted(name, seed=2)[0])
    assert same == MODELS[name].deterministic
    assert np.array_equal(fitted(name, seed=1)[0], fitted(name, seed=1)[0])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("knn", {"n_neighbors": 0}),
        ("svm-rbf", {"gamma": "big"}),
        ("svm-rbf", {"gamma": -1.0}),
        ("random-forest", {"trees": 3}),
    ],
)
def test_parameters_are_strict(name, wrong):
    with pytest.raises(ValidationError):
        MODELS[name].params(**wrong)


def test_more_neighbours_than_images_are_refused():
    knn = MODELS["knn"]
    assert knn.check(knn.params(n_neighbors=400), TASK) is None
    assert "401 is more than the 400 training images" in knn.check(knn.params(n_neighbors=401), TASK)


@mnistarena.testing.parametrize("logistic-regression")
def test_logistic_regression_keeps_the_promises_of_a_model(check):
    check.run()


@mnistarena.testing.parametrize("random-forest", params={"n_estimators": 10})
def test_random_forest_keeps_the_promises_of_a_model(check):
    check.run()


@mnistarena.testing.parametrize("svm-rbf")
def test_svm_rbf_keeps_the_promises_of_a_model(check):
    check.run()


@mnistarena.testing.parametrize("knn")
def test_knn_keeps_the_promises_of_a_model(check):
    check.run()
