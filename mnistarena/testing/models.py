"""The checks of a model of either family; each family's own checks are in networks.py and classifiers.py."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from mnistarena.plugin.components import Shape, Task
from mnistarena.testing import classifiers, networks, own_networks
from mnistarena.testing.check import Check, Nonconformity, NotApplicable, describe, shape_text
from mnistarena.testing.family import Family
from mnistarena.testing.model_under_test import ModelUnderTest, is_network, require_model, task_of

ODD_SHAPES: tuple[Shape, ...] = ((1, 1, 1), (1, 2, 3), (1, 28, 28), (2, 5, 40), (3, 13, 12))
"""Image shapes that a model's `check` must refuse, or the model must take."""

OF_FAMILY = {
    "output": "finite outputs of the shape and kind that the engine takes, for any number of images",
    "logits": "outputs are not probabilities: the loss takes the softmax",
    "learns": "a short training lowers the loss",
    "gradients": "every trainable parameter gets a gradient",
    "same-seed": "the same seed gives the same numbers",
    "deterministic-as-said": "deterministic=True only where the seed changes nothing",
    "seed-matters": "another seed gives other numbers, unless it says deterministic=True",
    "evaluation-repeats": "an image gets the same answer twice",
    "evaluation-alone": "an answer does not depend on the other images of the batch",
    "uses": "uses names every key of [training] that its own training reads",
    "state": "what was learnt is in the state dict",
    "resumes": "an interrupted training goes on with the same bits",
    "input-untouched": "the model does not change the images",
    "backbone-and-head": "head(backbone(x)) gives what forward(x) gives, where the backbone is frozen",
    "classes": "classes_ says which class each column of probabilities or scores is",
}
"""The checks that differ between the families, by name, each with its meaning."""


def family_of(built: Any) -> Family:
    """The family of what `build` returned: a torch module, one that trains itself, or else a classifier."""
    from mnistarena.trial.model import trains_itself

    if not is_network(built):
        return classifiers.FAMILY
    return own_networks.FAMILY if trains_itself(built) else networks.FAMILY


class ModelChecks(ModelUnderTest):
    """A model and its checks."""

    def checks(self) -> list[Check]:
        """The checks of a model."""
        return [
            *super().checks(),
            Check("prepare", "prepare returns parameters", function=self.check_prepare),
            Check("check", "check returns None or a sentence, and what it accepts works", function=self.check_check),
            Check("builds", "build returns a torch module or a scikit-learn classifier", function=self.check_builds),
            *(Check(name, meaning, function=self.of_family(name)) for name, meaning in OF_FAMILY.items()),
        ]

    def train(self) -> Any:
        """A new model after the short training of its family."""
        return family_of(self.built).train(self)

    def of_family(self, name: str) -> Callable[[], None]:
        """The check of that name of the model's family, which is known only after the model is built."""

        def function() -> None:
            family = family_of(self.built)
            if name not in family.checks:
                raise NotApplicable(f"not for a {family.name}")
            if name != "output" and self.output_fails:
                raise NotApplicable('its output is wrong: see "output"')
            family.checks[name](self)

        return function

    @cached_property
    def output_fails(self) -> bool:
        """Whether the model's output is not what the engine takes."""
        return Check("output", "", function=self.of_family("output")).outcome().status == "failed"

    def check_prepare(self) -> None:
        """`prepare` returns parameters of the model's own class."""
        if self.definition.prepare is None:
            raise NotApplicable("it has no prepare")
        found = self.definition.prepare(self.params, self.prepare_context)
        if not isinstance(found, self.definition.params):
            raise Nonconformity(f"prepare returned {type(found).__name__}, not {self.definition.params.__name__}")

    def check_check(self) -> None:
        """The model works on small, oblong and coloured images of few classes, or its `check` refuses them."""
        asked = (self.wanted_shape,) if self.wanted_shape and not self.transforms else ()
        for shape in dict.fromkeys((*ODD_SHAPES, *asked)):
            n_classes = 3 if shape[0] > 1 else 2
            sentence: object = self.refusal(shape, n_classes)
            images = f"{shape_text(shape)} images of {n_classes} classes"
            if sentence is None:
                self._works(shape, n_classes, images)
            elif not isinstance(sentence, str) or len(sentence.split()) < 3:
                raise Nonconformity(
                    f"check says {sentence!r} of {images}; return None, or a sentence that names the transform that "
                    "fixes it"
                )

    def _works(self, shape: Shape, n_classes: int, images: str) -> None:
        """Raises `Nonconformity` where the model cannot be built for images of a shape, or its answers are wrong."""
        accepts = "which check accepts" if self.definition.check else "and the model has no check"
        try:
            problem = self._answer_problem(task_of(shape, n_classes))
        except Exception as trouble:
            self._require_work_on_usual_images()
            problem = describe(trouble)
        if problem is not None:
            raise Nonconformity(
                f"{images}, {accepts}: {problem}. Where the cause is that these images do not fit, let check return a "
                "sentence that says so"
            )

    def _answer_problem(self, task: Task) -> str | None:
        """What is wrong with the answers of the model built for a task; raises what the model raises."""
        built = self.build(task=task)
        return family_of(built).answer_problem(built, task, self.output)

    def _require_work_on_usual_images(self) -> None:
        """Raises `NotApplicable` where the model raises on the images that it takes, too: they are not the cause."""
        try:
            self._answer_problem(self.chain.task)
        except NotApplicable:
            raise
        except Exception as trouble:
            raise NotApplicable(
                f"not because of the images, it raises on usual ones too: {describe(trouble)}"
            ) from trouble

    def check_builds(self) -> None:
        """`build` returns a model of one of the two families."""
        require_model(self.built_or_raise)

    def to_call(self) -> tuple[str, str]:
        """The model's name and parameters where it has a `check`, which `arena validate` calls."""
        if self.definition.check is None:
            return super().to_call()
        return str(self.definition.name), self.prepared.model_dump_json()
