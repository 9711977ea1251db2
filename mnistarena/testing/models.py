"""What a model promises, whichever family it is of; the families' own checks are in networks and classifiers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import ModuleType
from typing import Any

from mnistarena.components import PrepareContext, Shape
from mnistarena.resolve import data_dir
from mnistarena.testing import classifiers, networks
from mnistarena.testing.check import Check, Nonconformity, NotApplicable, raised, shape_of
from mnistarena.testing.undertest import ModelUnderTest, neither_family, task_of

ODD_SHAPES: tuple[Shape, ...] = ((1, 1, 1), (1, 2, 3), (1, 28, 28), (2, 5, 40), (3, 13, 12))


class ModelSubject(ModelUnderTest):
    """The checks of a model."""

    def checks(self) -> list[Check]:
        """The checks of a model."""
        own: list[tuple[str, str]] = [
            ("output", "finite logits (n, classes), or probabilities of a classifier, for any number of images"),
            ("logits", "outputs are no probabilities: the loss takes the softmax"),
            ("learns", "a short training lowers the loss"),
            ("gradients", "every trainable parameter gets a gradient"),
            ("same-seed", "the same seed gives the same numbers"),
            ("deterministic-as-said", "deterministic=True only where the seed changes nothing"),
            ("evaluation-repeats", "an image gets the same answer twice"),
            ("evaluation-alone", "an answer does not depend on the other images of the batch"),
            ("state", "what was learnt is in the state dict"),
            ("input-untouched", "the images stay as they are"),
            ("backbone-and-head", "a frozen backbone and its head are the whole"),
            ("classes", "classes_ says what the columns of predict_proba are"),
        ]
        return [
            *super().checks(),
            Check("prepare", "prepare returns parameters", self.check_prepare),
            Check("check", "check says None or a sentence, and what it accepts works", self.check_check),
            Check("builds", "a torch module or a scikit-learn classifier", self.check_builds),
            *(Check(name, meaning, self.of_family(name)) for name, meaning in own),
        ]

    def of_family(self, name: str) -> Callable[[], None]:
        """The check of that name of the model's family, which is known once the model is built."""

        def function() -> None:
            found = getattr(self.family(self.model), name.replace("-", "_"), None)
            if found is None:
                raise NotApplicable(f"not for a {'torch module' if self.is_network(self.model) else 'classifier'}")
            if name != "output" and self.output_fails:
                raise NotApplicable('its output is wrong: see "output"')
            found(self)

        return function

    @cached_property
    def output_fails(self) -> bool:
        """Whether the model gives something else than the engine takes."""
        return Check("output", "", self.of_family("output")).outcome().status == "failed"

    def family(self, model: Any) -> ModuleType:
        """The checks of torch modules, or of classifiers."""
        return networks if self.is_network(model) else classifiers

    def check_prepare(self) -> None:
        """Facts in place of preferences, of the same class."""
        if self.definition.prepare is None:
            raise NotApplicable("it has no prepare")
        found = self.definition.prepare(self.params, PrepareContext(data_dir(), download=False))
        if not isinstance(found, self.definition.params):
            raise Nonconformity(f"prepare returned {type(found).__name__}, not {self.definition.params.__name__}")

    def check_check(self) -> None:
        """Small, oblong and coloured images; few classes; few images."""
        for shape in dict.fromkeys((*ODD_SHAPES, *((self.asked,) if self.asked and not self.transforms else ()))):
            n_classes = 3 if shape[0] > 1 else 2
            sentence = self.refusal(shape, n_classes=n_classes)
            images = f"{shape_of(shape)} images of {n_classes} classes"
            if sentence is not None:
                if not isinstance(sentence, str) or len(sentence.split()) < 3:
                    raise Nonconformity(
                        f"check says {sentence!r} of {images}; return None, or a sentence that names the transform "
                        "that mends it"
                    )
                continue
            accepts = "which check accepts" if self.definition.check else "and the model has no check"
            task = task_of(shape, n_classes=n_classes)
            try:
                model = self.build(task=task)
                problem = self.family(model).answer_problem(model, task)
            except Exception as trouble:
                problem = raised(trouble)
            if problem is not None:
                raise Nonconformity(
                    f"{images}, {accepts}: {problem}. Let check return a sentence for images that do not fit"
                )

    def check_builds(self) -> None:
        """What `build` returns."""
        neither_family(self.built)

    def to_call(self) -> tuple[str, str]:
        """`arena validate` calls `check`."""
        if self.definition.check is None:
            return super().to_call()
        return str(self.definition.name), self.prepared.model_dump_json()
