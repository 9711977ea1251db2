"""The checks of a scikit-learn classifier; each function is the check of its name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.plugin.components import Task
from mnistarena.plugin.predictions import Output, Outputs
from mnistarena.testing.check import Nonconformity, NotApplicable
from mnistarena.testing.family import Family

if TYPE_CHECKING:
    from mnistarena.testing.model_under_test import ModelUnderTest

Features = NDArray[np.float32]
Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]


def features(model: ModelUnderTest) -> Features:
    """The digits as the engine gives them to a classifier, `(n, C·H·W)`."""
    from mnistarena.trial.fitting import flat

    return flat(model.digits[0], model.chain)


def fitted(model: ModelUnderTest, seed: int = 0) -> Any:
    """A classifier fitted to the digits, which are its validation images too where it stops early."""
    return _fitted_to(model, model.digits, seed)


def _fitted_to(model: ModelUnderTest, digits: Digits, seed: int = 0) -> Any:
    from mnistarena.trial.fitting import fit_classifier, flat, seed_classifier

    classifier = model.build(seed)
    seed_classifier(classifier, model.chain, seed)
    values = flat(digits[0], model.chain)
    return fit_classifier(classifier, values, digits[1], held=(values, digits[1]))


def answers(model: ModelUnderTest, classifier: Any, values: Features) -> Outputs:
    """What a fitted classifier says of features, checked as the engine checks it."""
    from mnistarena.engine.prediction import classifier_outputs

    return classifier_outputs(classifier, values, model.chain.task.n_classes, model.definition.output)


def difference(one: Outputs, other: Outputs) -> str | None:
    """How two answers differ, as the end of a sentence; None where they are equal."""
    if np.array_equal(one.values, other.values):
        return None
    if one.output == "labels":
        return f"{int((one.values != other.values).sum())} of {len(one.values)} classes are others"
    return f"{one.output} differ by up to {np.abs(one.values - other.values).max():.3g}"


def answer_problem(classifier: Any, task: Task, output: Output) -> str | None:
    """None: whether a classifier can be fitted to unusual images is known only after fitting."""
    return None


def output(model: ModelUnderTest) -> None:
    """Probabilities are finite and sum to 1, scores are finite, labels are classes, for one image and for several."""
    for n in (1, 2, 7):
        answers(model, model.trained, features(model)[:n])


def learns(model: ModelUnderTest) -> None:
    """At least 30 % of the images that it was fitted to are recognised."""
    found = answers(model, model.trained_or_raise, features(model)).predicted
    right = float((found == model.digits[1]).mean())
    if right < 0.3:
        raise Nonconformity(
            f"after fit, {right:.0%} of the {len(found)} images that it was fitted to are recognised; chance is 10 %"
        )


def same_seed(model: ModelUnderTest) -> None:
    """Two classifiers fitted with the same seed give the same answers."""
    values = features(model)
    unlike = difference(answers(model, model.trained, values), answers(model, fitted(model), values))
    if unlike:
        raise Nonconformity(
            f"fitted twice with one seed, {unlike}; take random numbers from random_state alone, and leave n_jobs at 1"
        )


def _with_another_seed(model: ModelUnderTest) -> str | None:
    """How the answers differ that a classifier gives after it was fitted with two seeds."""
    values = features(model)
    return difference(answers(model, model.trained, values), answers(model, fitted(model, seed=1), values))


def deterministic_as_said(model: ModelUnderTest) -> None:
    """A classifier with `deterministic=True` gives the same answers with another seed."""
    if not model.definition.deterministic:
        raise NotApplicable("it does not say deterministic=True")
    if unlike := _with_another_seed(model):
        raise Nonconformity(f"deterministic=True, but with another seed {unlike}; leave deterministic out")


def seed_matters(model: ModelUnderTest) -> None:
    """A classifier without `deterministic=True` gives other answers with another seed."""
    if model.definition.deterministic:
        raise NotApplicable("it says deterministic=True")
    first = answers(model, model.trained, features(model))
    if first.output == "labels":
        raise NotApplicable("labels of two different classifiers may be equal")
    if not _with_another_seed(model):
        raise Nonconformity(
            f"fitted with two seeds, {first.output} are the same bits, and a run counts such seeds as one; the engine "
            "sets parameters called random_state, random_seed or seed: let get_params show one, or say "
            "deterministic=True"
        )


def evaluation_repeats(model: ModelUnderTest) -> None:
    """The same images get the same answers twice: prediction draws no random numbers."""
    values = features(model)[:8]
    one, two = (answers(model, model.trained, values) for _ in range(2))
    if unlike := difference(one, two):
        raise Nonconformity(f"predicted twice, of the same images {unlike}; seed what prediction draws")


def evaluation_alone(model: ModelUnderTest) -> None:
    """Eight images get the same answers together and one at a time."""
    values = features(model)[:8]
    together = answers(model, model.trained, values)
    alone = np.concatenate([answers(model, model.trained, values[i : i + 1]).values for i in range(8)])
    if not np.allclose(together.values, alone, rtol=1e-4, atol=1e-5):
        unlike = difference(together, replace(together, values=alone))
        raise Nonconformity(f"alone, an image gets another answer: {unlike}; take nothing from the other rows")


def input_untouched(model: ModelUnderTest) -> None:
    """Neither fit nor prediction changes the images."""
    from mnistarena.trial.fitting import fit_classifier

    values = features(model)
    before = values.copy()
    fit_classifier(model.build(), values, model.digits[1], held=(values, model.digits[1]))
    if not np.array_equal(values, before):
        raise Nonconformity("fit changed the images; work on a copy")
    answers(model, model.trained, values)
    if not np.array_equal(values, before):
        raise Nonconformity("prediction changed the images; work on a copy")


def classes(model: ModelUnderTest) -> None:
    """`classes_` gives the labels of the columns, also where the training images lack a class."""
    from mnistarena.engine.prediction import answering_method
    from mnistarena.trial.fitting import flat

    for labels in (tuple(range(10)), (1, 3, 8)):
        digits = model.digits_of(labels)
        classifier = _fitted_to(model, digits)
        method = answering_method(classifier, model.definition.output)
        if method == "predict":
            others = set(answers(model, classifier, features(model)).predicted.tolist()) - set(labels)
            if others:
                raise Nonconformity(f"fitted to the labels {list(labels)}, it predicts {sorted(others)} too")
            continue
        found = getattr(classifier, "classes_", None)
        if found is None or list(found) != list(labels):
            raise Nonconformity(
                f"fitted to the labels {list(labels)}, classes_ is {found if found is None else list(found)}; set "
                "it in fit: numpy.unique(y)"
            )
        n = np.shape(getattr(classifier, method)(flat(digits[0][:2], model.chain)))
        if n != (2, len(labels)):
            raise Nonconformity(
                f"fitted to {len(labels)} classes, {method} gives {n} for 2 images; give one column for each of "
                "classes_"
            )


FAMILY = Family(
    "classifier",
    {
        "output": output,
        "learns": learns,
        "same-seed": same_seed,
        "deterministic-as-said": deterministic_as_said,
        "seed-matters": seed_matters,
        "evaluation-repeats": evaluation_repeats,
        "evaluation-alone": evaluation_alone,
        "input-untouched": input_untouched,
        "classes": classes,
    },
    train=fitted,
    answer_problem=answer_problem,
)
