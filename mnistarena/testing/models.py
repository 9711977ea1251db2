"""What a model promises, whichever family it is of; the families' own checks are in networks and classifiers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistarena import data
from mnistarena.builtin import datasets
from mnistarena.components import DataContext, PrepareContext, Shape, Task
from mnistarena.errors import PluginError
from mnistarena.registry import installed
from mnistarena.resolve import data_dir
from mnistarena.seeds import derive
from mnistarena.testing.check import Check, Nonconformity, NotApplicable, raised, shape_of
from mnistarena.testing.subject import Subject

if TYPE_CHECKING:
    from mnistarena.batches import Chain

SHAPES: tuple[Shape, ...] = ((1, 8, 8), (1, 28, 28), (1, 32, 32), (3, 32, 32), (1, 64, 64), (3, 64, 64), (3, 224, 224))
"""What is tried, in this order, where nobody says which images the model takes."""

ODD_SHAPES: tuple[Shape, ...] = ((1, 1, 1), (1, 2, 3), (1, 28, 28), (2, 5, 40), (3, 13, 12))
CLASSES = tuple("0123456789")
IMAGES = 160


class ModelSubject(Subject):
    """A model, tried on a slice of scikit-learn's digits in the shape of the images that it takes."""

    kind = "model"

    def __init__(
        self,
        definition: Any,
        module: str,
        params: Mapping[str, Any],
        image_shape: Shape | None = None,
        transforms: Sequence[str | Mapping[str, Any]] = (),
        steps: int = 30,
        learning_rate: float = 0.003,
        images: int = IMAGES,
    ) -> None:
        super().__init__(definition, module, params)
        self.asked: Shape | None = tuple(image_shape) if image_shape else None  # type: ignore[assignment]
        self.steps, self.learning_rate, self.n_images = steps, learning_rate, images
        self.transforms = [_transform(entry) for entry in transforms]

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

    @staticmethod
    def is_network(model: Any) -> bool:
        """Whether it is a torch module."""
        from torch import nn

        return isinstance(model, nn.Module)

    def family(self, model: Any) -> ModuleType:
        """The checks of torch modules, or of classifiers."""
        from mnistarena.testing import classifiers, networks

        return networks if self.is_network(model) else classifiers

    @cached_property
    def prepared(self) -> Any:
        """The parameters as `build` gets them."""
        if self.definition.prepare is None:
            return self.params
        try:
            return self.definition.prepare(self.params, PrepareContext(data_dir(), download=False))
        except NotApplicable:
            raise
        except Exception as problem:
            raise NotApplicable('prepare fails: see "prepare"') from problem

    @cached_property
    def before(self) -> Shape:
        """The shape of the images before the transforms: what was asked for, or the first that the model takes."""
        refused = []
        for shape in [self.asked] if self.asked else SHAPES:
            try:
                sentence = self.refusal(self.after(shape))
            except ValueError as problem:
                sentence = str(problem)
            except NotApplicable:
                raise
            except Exception as problem:
                raise NotApplicable('check fails: see "check"') from problem
            if sentence is None:
                return shape
            refused.append(f"{shape_of(shape)}: {sentence}")
        raise NotApplicable(f"it refuses the images ({refused[-1]}): give image_shape= or transforms=")

    def refusal(self, shape: Shape, **changes: Any) -> str | None:
        """What `check` says of images of a shape."""
        check = self.definition.check
        return None if check is None else check(self.prepared, task_of(shape, **changes))

    def after(self, shape: Shape) -> Shape:
        """The shape after the transforms; raises `ValueError` where one of them refuses it."""
        for definition, params in self.transforms:
            if definition.shape is not None:
                shape = definition.shape(params, shape)
        return shape

    @cached_property
    def digits(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images uint8 `(n, C, H, W)` enlarged to the wanted shape, and labels."""
        (definition,) = (d for d in datasets.arena_datasets() if d.name == "digits")
        loaded = definition.load(definition.params(), DataContext(data_dir(), download=False))
        rows = data.stratified(loaded.train_labels, self.n_images, 0)
        channels, height, width = self.before
        down, across = np.arange(height) * 8 // height, np.arange(width) * 8 // width
        images = loaded.train_images[rows][:, :, down][:, :, :, across].repeat(channels, axis=1)
        return np.ascontiguousarray(images), loaded.train_labels[rows]

    @cached_property
    def chain(self) -> Chain:
        """The transforms, built."""
        from mnistarena.batches import Chain

        mean, std = data.statistics(self.digits[0])
        return Chain(self.transforms, task_of(self.before, n_train=self.n_images, mean=mean, std=std))

    def build(self, seed: int = 0, task: Task | None = None) -> Any:
        """A model, its random streams seeded as a trial's are."""
        from mnistarena.streams import seed_everything

        seed_everything(derive(seed, "initialisation"))
        model = self.definition.build(self.prepared, task or self.chain.task)
        if self.is_network(model):
            from mnistarena.module import to_channels_last

            to_channels_last(model)
        return model

    @cached_property
    def built(self) -> Any:
        """A fresh one, or whatever `build` raises."""
        return self.build(task=self.chain.task)

    @cached_property
    def model(self) -> Any:
        """The same, to be copied before it is trained; `NotApplicable` where it cannot be built."""
        try:
            _what(self.built)
        except NotApplicable:
            raise
        except Exception as problem:
            raise NotApplicable('it could not be built: see "builds"') from problem
        return self.built

    @cached_property
    def training(self) -> Any:
        """One after the short training, or whatever that raises."""
        return self.family(self.model).trained(self)

    @cached_property
    def trained(self) -> Any:
        """The same; `NotApplicable` where it fails."""
        try:
            return self.training
        except NotApplicable:
            raise
        except Exception as problem:
            raise NotApplicable('it could not be trained: see "learns"') from problem

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
        _what(self.built)

    def to_call(self) -> tuple[str, str]:
        """`arena validate` calls `check`."""
        if self.definition.check is None:
            return super().to_call()
        return str(self.definition.name), self.prepared.model_dump_json()


def task_of(shape: Shape, n_classes: int = 10, **facts: Any) -> Task:
    """A task of such images."""
    statistics = {"mean": (0.5,) * shape[0], "std": (0.25,) * shape[0], "n_train": 100, **facts}
    return Task(shape, n_classes, CLASSES[:n_classes], **statistics)


def _what(model: Any) -> None:
    """Raises `Nonconformity` where it is neither family."""
    if not ModelSubject.is_network(model) and not (hasattr(model, "fit") and hasattr(model, "predict_proba")):
        raise Nonconformity(
            f"build returned {type(model).__name__}; return a torch.nn.Module, or a scikit-learn classifier with fit "
            "and predict_proba"
        )


def _transform(entry: str | Mapping[str, Any]) -> tuple[Any, Any]:
    """A transform as a spec names it, and its parameters."""
    arguments = {} if isinstance(entry, str) else {key: value for key, value in entry.items() if key != "name"}
    name = entry if isinstance(entry, str) else entry.get("name")
    if not isinstance(name, str):
        raise PluginError(f'transforms: {entry!r} has no "name"; write them as in a spec')
    definition = installed().get("transform", name).definition
    return definition, definition.params(**arguments)
