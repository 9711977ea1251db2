"""What models say: logits, log-probabilities, probabilities, scores, labels; trained and scored as what they are."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import mnistarena
from mnistarena import NoValue, Outputs, Task, TrialError
from mnistarena.engine import prediction
from mnistarena.engine.loss import loss_function
from mnistarena.spec.schema import Training
from mnistarena.testing import checks

PLUGIN = """
from mnistarena import ModelDef, Params, hookimpl

class Nothing(Params):
    "No parameters."

def linear(after):
    def build(params, task):
        import math, torch
        from torch import nn
        class Linear(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(math.prod(task.image_shape), task.n_classes)
            def forward(self, images):
                return after(self.layer(images.flatten(1)), self)
        return Linear()
    return build

def classifier(make):
    def build(params, task):
        from sklearn import ensemble, linear_model, svm
        return make(ensemble, linear_model, svm)
    return build

@hookimpl
def arena_models():
    def network(name, after, **more):
        return ModelDef(name, "linear", params=Nothing, build=linear(after), **more)
    def fitted(name, make, **more):
        return ModelDef(name, "fitted", params=Nothing, build=classifier(make), **more)
    return [
        network("logits", lambda x, m: x),
        network("tuple", lambda x, m: (x, x * 0) if m.training else x),
        network("dict", lambda x, m: {"logits": x, "hidden": x}),
        network("log-probabilities", lambda x, m: x.log_softmax(1), output="log_probabilities"),
        network("probabilities", lambda x, m: x.softmax(1), output="probabilities"),
        network("wrongly", lambda x, m: x.sigmoid(), output="probabilities"),
        network("scores", lambda x, m: x, output="scores"),
        fitted("perceptron", lambda e, l, s: l.Perceptron(random_state=None)),
        fitted("ridge", lambda e, l, s: l.RidgeClassifier(), deterministic=True),
        fitted("ridge-scores", lambda e, l, s: l.RidgeClassifier(), output="scores", deterministic=True),
        fitted("svc", lambda e, l, s: s.SVC(), deterministic=True),
    ]
"""

NETWORKS = ("logits", "tuple", "dict", "log-probabilities", "probabilities", "scores")
SURE = ("logits", "tuple", "dict", "log-probabilities", "probabilities")
FITTED = ("perceptron", "ridge", "ridge-scores", "svc")
NEED_PROBABILITIES = ("log_loss", "brier", "ece")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("outputs") / "outputs.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture(scope="module")
def run(plugin):
    names = (*NETWORKS, *FITTED)
    spec = {
        "benchmark": {"name": "outputs", "metrics": ["accuracy", "roc_auc", *NEED_PROBABILITIES]},
        "dataset": [{"name": "digits", "validation": 200}],
        "training": {"epochs": 3, "batch_size": 64, "optimizer": {"name": "adam", "lr": 0.01}},
        "model": [{"name": name} for name in names],
    }
    options = mnistarena.Options(jobs=1, threads=1)
    return mnistarena.run(spec, out=plugin.parent / "run", plugins=[plugin], options=options)


def trial(run, label):
    return next(one for one in run.trials if one.label == label)


def test_every_kind_of_output_is_trained_and_scored(run):
    assert all(one.done for one in run.trials), [one.error for one in run.trials if not one.done]
    assert trial(run, "logits").metrics["accuracy"] > 0.8
    first = trial(run, "logits").predictions().probabilities
    for label in SURE:
        found = trial(run, label)
        assert found.predictions().output == "probabilities"
        np.testing.assert_allclose(found.predictions().probabilities, first, atol=2e-4, err_msg=label)
        assert found.metrics["log_loss"] == pytest.approx(trial(run, "logits").metrics["log_loss"], rel=1e-3)
        assert found.history()[-1]["validation_loss"] == pytest.approx(
            trial(run, "logits").history()[-1]["validation_loss"], rel=1e-3
        )


def test_scores_are_no_probabilities_anywhere(run, arena, plugin, tmp_path):
    for label in ("scores", *FITTED):
        found, predictions = trial(run, label), trial(run, label).predictions()
        assert {found.metrics[name] for name in NEED_PROBABILITIES} == {None}
        assert found.missing["log_loss"] == f"the model gives {predictions.output}, no probabilities"
        assert found.history()[-1]["validation_loss"] is None
        assert found.history()[-1]["validation_accuracy"] > 0.8
        with pytest.raises(NoValue, match="no probabilities"):
            predictions.probabilities  # noqa: B018
        row = next(row for row in run.rows("predictions") if row["label"] == label)
        assert row["probability"] is None
    assert trial(run, "scores").metrics["roc_auc"] > 0.95
    assert trial(run, "ridge").metrics["roc_auc"] is None
    reliabilities = run.view.comparisons[0].reliabilities
    assert {one.label for one in reliabilities} == set(SURE)
    assert all(
        miss.probability is None
        for tile in run.view.comparisons[0].tiles
        for miss in tile.misses
        if miss.label in ("scores", *FITTED)
    )
    assert arena("report", run.path, plugins=None).status == 0
    page = (run.path / "report.md").read_text()
    assert "No probabilities, so no such figures: " in page
    assert "the model gives labels, no probabilities." in page
    assert 'title="the model gives labels, no probabilities"' in (run.path / "report.html").read_text()


def test_predict_shows_no_probability_of_a_model_without(run, arena, plugin, tmp_path):
    from PIL import Image

    split, stored = run.test_split("digits"), trial(run, "scores").predictions()
    Image.fromarray(split["images"][0, 0]).save(tmp_path / "one.png")
    for label in ("scores", "svc"):
        done = arena("predict", run.path, label, "one.png", "--plugin", plugin, "--json")
        assert done.status == 0, done.err
        (answer,) = json.loads(done.out)["images"]
        assert answer["probability"] is None
        assert answer["class"] == str(trial(run, label).predictions().predicted[0])
        assert "–" in arena("predict", run.path, label, "one.png", "--plugin", plugin).out
    found = trial(run, "scores").restore(plugins=[plugin]).predict(split["images"])
    assert found.output == "scores"
    np.testing.assert_allclose(found.values, stored.values, atol=1e-5)


def test_a_classifier_is_as_right_as_scikit_learn_says(run, plugin):
    split = run.test_split("digits")
    values = split["images"].reshape(len(split["images"]), -1).astype(np.float32) / 255
    for label in ("ridge", "svc"):
        fitted = trial(run, label).restore(plugins=[plugin]).model
        assert trial(run, label).metrics["accuracy"] == pytest.approx(fitted.score(values, split["labels"]))
    # Of a linear machine for each class, the class with the highest score is the one that it predicts.
    scores, labels = (trial(run, label).predictions() for label in ("ridge-scores", "ridge"))
    assert (scores.output, labels.output) == ("scores", "labels")
    assert np.array_equal(scores.predicted, labels.predicted)


def test_what_is_called_probabilities_and_is_not_is_named(plugin, arena, write_spec):
    spec = write_spec(
        '[benchmark]\nname = "x"\n[[dataset]]\nname = "digits"\n[training]\nsteps = 5\n[[model]]\nname = "wrongly"\n'
    )
    done = arena("run", spec, "--out", "run", "--plugin", plugin)
    assert done.status == 1
    assert 'the model says output = "probabilities", but the output has rows that sum to between' in done.out


def test_the_loss_fits_the_output():
    torch.manual_seed(0)
    layer, images, labels = nn.Linear(6, 4), torch.randn(9, 6), torch.randint(0, 4, (9,))
    recipe = Training(steps=1)
    task = Task((1, 2, 3), 4, class_names=tuple("abcd"), n_train=9)
    wanted = functional.cross_entropy(layer(images), labels)

    class Of(nn.Module):
        def __init__(self, after):
            super().__init__()
            self.layer, self.after = layer, after

        def forward(self, given):
            return self.after(self.layer(given))

    def loss(after, output):
        return loss_function(Of(after), recipe, task, output=output)(images, labels)

    assert torch.equal(loss(lambda x: x, "logits"), wanted)
    log_p, p = layer(images).log_softmax(1), layer(images).softmax(1)
    torch.testing.assert_close(
        loss(lambda x: x.log_softmax(1), "log_probabilities"), functional.nll_loss(log_p, labels)
    )
    torch.testing.assert_close(loss(lambda x: x.softmax(1), "probabilities"), functional.nll_loss(p.log(), labels))
    assert torch.equal(loss(lambda x: x, "scores"), wanted)
    margin = recipe.model_copy(update={"loss": "multi-margin"})
    assert torch.equal(
        loss_function(Of(lambda x: x.relu()), margin, task, output="scores")(images, labels),
        functional.multi_margin_loss(layer(images).relu(), labels),
    )
    with pytest.raises(TrialError, match="training_loss"):
        loss_function(layer, recipe, task, output="labels")
    impossible = loss_function(Of(lambda x: torch.eye(4)[labels.flip(0)]), recipe, task, output="probabilities")(
        images, labels
    )
    assert impossible.isfinite(), "a probability of 0 for the true class"


def test_the_main_output_is_found():
    found = torch.zeros(2, 3)

    class Answer:
        logits = found

    for given in (found, Answer(), {"logits": found, "hidden": 1}, (found, None), [found, found]):
        assert prediction.main_output(given) is found
    assert prediction.main_output({"scores": found}) == {"scores": found}
    assert prediction.main_output(None) is None


def test_outputs_that_look_like_probabilities():
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 10, generator=random)
    assert prediction.looks_like_probabilities(logits.softmax(1))
    for other in (
        logits,
        logits.log_softmax(1),
        logits.sigmoid(),
        logits[0].softmax(0),
        logits.softmax(1) * float("nan"),
    ):
        assert not prediction.looks_like_probabilities(other)


class Fitted:
    """A classifier of three of five classes."""

    classes_ = np.array([0, 2, 4])

    def predict_proba(self, values):
        return np.tile([0.5, 0.3, 0.2], (len(values), 1))

    def decision_function(self, values):
        return np.tile([-1.0, 3.0, 2.0], (len(values), 1))

    def predict(self, values):
        return np.full(len(values), 2)


def test_a_class_that_was_not_trained_on_is_never_the_most_likely():
    values = np.zeros((2, 1), np.float32)
    found = prediction.classifier_outputs(Fitted(), values, 5)
    assert found.values.tolist() == [[0.5, 0, 0.3, 0, 0.2]] * 2
    scores = prediction.classifier_outputs(Fitted(), values, 5, "scores")
    assert scores.predicted.tolist() == [2, 2]
    assert scores.values[:, [0, 2, 4]].tolist() == [[-1, 3, 2]] * 2
    assert scores.values[:, [1, 3]].max() < -1e38
    assert prediction.classifier_outputs(Fitted(), values, 5, "labels").values.tolist() == [2, 2]
    with pytest.raises(TrialError, match='has no predict_log_proba, as output = "log_probabilities" asks for'):
        prediction.classifier_outputs(Fitted(), values, 5, "log_probabilities")


def test_one_score_for_two_classes_is_aligned():
    class Two(Fitted):
        classes_ = np.array([1, 3])

        def decision_function(self, values):
            return np.array([0.5, -0.25])

    found = prediction.classifier_outputs(Two(), np.zeros((2, 1), np.float32), 4, "scores")
    assert found.predicted.tolist() == [3, 1]


@pytest.mark.parametrize("given", [[0.5, 1], [0, 5], ["a", "b"], [-1, 0], [[1, 2], [1, 2]]])
def test_what_predict_must_not_return(given):
    class Odd(Fitted):
        def predict(self, values):
            return np.array(given)

    with pytest.raises(TrialError, match="predict returned"):
        prediction.classifier_outputs(Odd(), np.zeros((2, 1), np.float32), 5, "labels")


def test_labels_need_a_number_of_classes():
    with pytest.raises(ValueError, match="n_classes"):
        mnistarena.Predictions(np.array([0]), np.array([0]), index=np.array([0]), output="labels")
    with pytest.raises(NoValue, match="no scores"):
        Outputs(np.array([0]), "labels", n_classes=3).scores  # noqa: B018


@pytest.mark.parametrize("name", ["probabilities", "scores", "dict", "perceptron", "ridge-scores", "svc"])
def test_the_kit_takes_every_kind(name, plugin):
    failed = {
        c.name: c.outcome().message
        for c in checks(name, kind="model", plugins=[plugin])
        if c.outcome().status == "failed"
    }
    assert not {key: value for key, value in failed.items() if key not in ("parameters-json", "import-without-torch")}
