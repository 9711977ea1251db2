"""Metrics against scikit-learn, by hand, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from mnistarena import NoValue, Predictions, load_run
from mnistarena.builtin import metrics

DEFS = {definition.name: definition for definition in metrics.arena_metrics()}


def predictions(n=500, classes=5, seed=0, skill=2.0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    scores = random.normal(size=(n, classes))
    scores[np.arange(n), labels] += skill
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return Predictions(labels, chances, index=np.arange(n))


def value(name, given, **params):
    return DEFS[name].compute(given, DEFS[name].params(**params))


def test_against_scikit_learn():
    given = predictions()
    labels, predicted, chances = given.labels, given.predicted, given.probabilities
    assert value("accuracy", given) == pytest.approx(reference.accuracy_score(labels, predicted))
    assert value("f1_macro", given) == pytest.approx(reference.f1_score(labels, predicted, average="macro"))
    assert value("f1_weighted", given) == pytest.approx(reference.f1_score(labels, predicted, average="weighted"))
    assert value("log_loss", given) == pytest.approx(reference.log_loss(labels, chances))
    assert value("top_2_accuracy", given) == pytest.approx(reference.top_k_accuracy_score(labels, chances, k=2))
    assert value("brier", given) == pytest.approx(((chances - np.eye(5)[labels]) ** 2).sum(1).mean())


@pytest.mark.parametrize("seed", range(20))
def test_f1_is_that_of_scikit_learn_to_the_last_bit_where_classes_are_few_or_absent(seed):
    given = predictions(n=1 + 3 * seed, classes=2 + seed // 2, seed=seed, skill=1.0)
    for average in ("macro", "weighted"):
        expected = reference.f1_score(given.labels, given.predicted, average=average, zero_division=0)
        assert value(f"f1_{average}", given) == expected


def test_a_perfect_model_is_perfect_and_a_certain_error_is_not_infinite():
    labels = np.array([0, 1, 2, 1])
    perfect = Predictions(labels, np.eye(3)[labels], index=np.arange(4))
    for name, best in (("accuracy", 1), ("f1_weighted", 1), ("f1_macro", 1), ("log_loss", 0), ("brier", 0), ("ece", 0)):
        assert value(name, perfect) == pytest.approx(best, abs=1e-12)
    wrong = Predictions(labels, np.eye(3)[(labels + 1) % 3], index=np.arange(4))
    assert value("log_loss", wrong) == pytest.approx(-np.log(np.finfo(float).eps))
    assert value("brier", wrong) == 2
    assert value("ece", wrong) == 1


def test_ece_by_hand():
    chances = np.array([[0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.9, 0.1]])
    given = Predictions(np.array([0, 1, 0, 0]), chances, index=np.arange(4))
    # Two bins of two: confidence 1.3 with 1 right, 1.7 with 2 right.
    assert value("ece", given, bins=2) == pytest.approx((0.3 + 0.3) / 4)


@pytest.mark.parametrize("name", DEFS)
def test_the_order_of_images_does_not_matter(name):
    given = predictions()
    order = np.random.default_rng(1).permutation(len(given.labels))
    shuffled = Predictions(given.labels[order], given.probabilities[order], index=given.index[order])
    assert value(name, given) == pytest.approx(value(name, shuffled))


@pytest.mark.parametrize("name", DEFS)
def test_better_models_score_better_in_the_direction_that_is_claimed(name):
    poor, good = predictions(skill=0.5), predictions(skill=3.0)
    if name == "ece":
        pytest.skip("calibration is no matter of skill")
    assert (value(name, good) > value(name, poor)) == DEFS[name].higher_is_better


@pytest.mark.parametrize("label", ["cnn", "logistic-regression"])
def test_stored_predictions_of_a_run_give_what_scikit_learn_gives(label, tiny_run):
    given = load_run(tiny_run).of(label, "mnist")[0].predictions()
    labels, predicted, chances = given.labels, given.predicted, given.probabilities
    classes = np.arange(10)
    recalls = reference.recall_score(labels, predicted, average=None)
    precisions = reference.precision_score(labels, predicted, average=None)
    wanted = {
        "error_rate": 1 - reference.accuracy_score(labels, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted),
        "matthews": reference.matthews_corrcoef(labels, predicted),
        "cohen_kappa": reference.cohen_kappa_score(labels, predicted),
        "roc_auc": reference.roc_auc_score(labels, chances, multi_class="ovr", average="macro"),
        "average_precision": np.mean([reference.average_precision_score(labels == k, chances[:, k]) for k in classes]),
        "top_k_accuracy": reference.top_k_accuracy_score(labels, chances, k=3),
    }
    assert {name: value(name, given) for name in wanted} == pytest.approx(wanted, rel=1e-9)
    assert value("top_k_accuracy", given, k=2) == pytest.approx(value("top_2_accuracy", given))
    for of in classes:
        assert value("class_recall", given, of=int(of)) == pytest.approx(recalls[of])
        assert value("class_precision", given, of=int(of)) == pytest.approx(precisions[of])


def test_two_classes():
    given = predictions(classes=2)
    assert value("roc_auc", given) == pytest.approx(reference.roc_auc_score(given.labels, given.probabilities[:, 1]))
    assert value("top_k_accuracy", given, k=1) == value("accuracy", given)


SOME, ONE = np.array([0, 1, 1, 0]), np.array([1, 1, 1, 1])


@pytest.mark.parametrize(
    ("name", "labels", "params", "reason"),
    [
        ("roc_auc", SOME, {}, "no image of class 2"),
        ("average_precision", SOME, {}, "no image of class 2"),
        ("roc_auc", ONE, {}, "images of class 1 only"),
        ("matthews", ONE, {}, "images of class 1 only"),
        ("cohen_kappa", ONE, {}, "images of class 1 only"),
        ("class_recall", SOME, {"of": 2}, "no image of class 2"),
        ("class_precision", SOME, {"of": 1}, "no image is classified as class 1"),
        ("class_recall", SOME, {"of": 3}, "there is no class 3"),
        ("top_k_accuracy", SOME, {"k": 3}, "k = 3 of 3 classes is always right"),
    ],
)
def test_a_figure_without_meaning_says_why(name, labels, params, reason):
    chances = np.tile([0.5, 0.2, 0.3], (4, 1))
    with pytest.raises(NoValue, match=reason):
        value(name, Predictions(labels, chances, index=np.arange(4)), **params)


def test_scores_are_ranked_and_labels_are_counted():
    given = predictions(skill=1.0)
    scores = np.log(given.probabilities) * 7 - 3
    scored = Predictions(given.labels, scores, index=given.index, output="scores")
    classes = Predictions(given.labels, given.predicted, index=given.index, output="labels", n_classes=5)
    for name in DEFS:
        if name in ("log_loss", "brier", "ece"):
            reasons = ("no probabilities", "no probabilities")
        elif name in ("roc_auc", "average_precision", "top_k_accuracy", "top_2_accuracy"):
            reasons = (None, "no scores")
        else:
            reasons = (None, None)
        for known, reason in zip((scored, classes), reasons, strict=True):
            if reason is None:
                assert np.isfinite(value(name, known)), name
                if name not in ("roc_auc", "average_precision"):  # these compare images, whose scores shift here
                    assert value(name, known) == pytest.approx(value(name, given)), name
            else:
                with pytest.raises(NoValue, match=reason):
                    value(name, known)


PARAMS = {"class_recall": {"of": 1}, "class_precision": {"of": 1}}


def contributions(name, given):
    return DEFS[name].per_image(given, DEFS[name].params(**PARAMS.get(name, {})))


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("name", DEFS)
def test_what_images_contribute_has_the_figure_as_its_mean(name, classes):
    given = predictions(classes=classes)
    # Of two classes, 3 are more than there are; of ties the values are rounded.
    params = {"k": 1} if name == "top_k_accuracy" and classes == 2 else PARAMS.get(name, {})
    given = Predictions(given.labels, np.round(given.probabilities, 2), index=given.index)
    found = DEFS[name].per_image(given, DEFS[name].params(**params))
    assert found.shape == given.labels.shape
    assert found.mean() == pytest.approx(value(name, given, **params), rel=1e-9)


WEIGHED = {
    "balanced_accuracy": lambda y, p, w: reference.recall_score(y, p.argmax(1), average="macro", sample_weight=w),
    "f1_macro": lambda y, p, w: reference.f1_score(y, p.argmax(1), average="macro", sample_weight=w),
    "f1_weighted": lambda y, p, w: reference.f1_score(y, p.argmax(1), average="weighted", sample_weight=w),
    "class_recall": lambda y, p, w: reference.recall_score(y, p.argmax(1), average=None, sample_weight=w)[1],
    "class_precision": lambda y, p, w: reference.precision_score(y, p.argmax(1), average=None, sample_weight=w)[1],
    "matthews": lambda y, p, w: reference.matthews_corrcoef(y, p.argmax(1), sample_weight=w),
    "cohen_kappa": lambda y, p, w: reference.cohen_kappa_score(y, p.argmax(1), sample_weight=w),
    "roc_auc": lambda y, p, w: reference.roc_auc_score(np.eye(5)[y], p, average="macro", sample_weight=w),
    "average_precision": lambda y, p, w: reference.average_precision_score(
        np.eye(5)[y], p, average="macro", sample_weight=w
    ),
}
"""Figures of whole sets, with a weight for each image."""


@pytest.mark.parametrize("name", WEIGHED)
def test_the_influence_of_an_image_is_the_derivative_by_its_weight(name):
    given = predictions(n=120, skill=1.0)
    chances = np.round(given.probabilities, 2)  # with ties
    given = Predictions(given.labels, chances, index=given.index)
    influence = contributions(name, given) - value(name, given, **PARAMS.get(name, {}))
    for image in range(0, 120, 17):
        ends = []
        for step in (1e-5, -1e-5):
            weights = np.ones(120)
            weights[image] += step
            ends.append(WEIGHED[name](given.labels, chances, weights))
        assert influence[image] == pytest.approx(120 * (ends[0] - ends[1]) / 2e-5, abs=1e-6)


@pytest.mark.parametrize(
    "name", ["balanced_accuracy", "f1_macro", "matthews", "roc_auc", "average_precision", "log_loss"]
)
def test_their_variance_is_that_of_the_bootstrap(name):
    given = predictions(n=300, skill=1.0)
    draws, figures = np.random.default_rng(2), []
    for _ in range(100):
        rows = draws.integers(0, 300, 300)
        figures.append(value(name, given.of(rows), **PARAMS.get(name, {})))
    deviation = contributions(name, given).std() / 300**0.5
    assert deviation == pytest.approx(np.std(figures), rel=0.2)
