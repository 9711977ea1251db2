"""A model under test: its images, its transforms, and itself, built and trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from mnistarena.testing.check import Nonconformity, NotApplicable, shape_of
from mnistarena.testing.subject import Subject

if TYPE_CHECKING:
    from mnistarena.batches import Chain

SHAPES: tuple[Shape, ...] = ((1, 8, 8), (1, 28, 28), (1, 32, 32), (3, 32, 32), (1, 64, 64), (3, 64, 64), (3, 224, 224))
"""What is tried, in this order, where nobody says which images the model takes."""

CLASSES = tuple("0123456789")
IMAGES = 160


class ModelUnderTest(Subject):
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

    @staticmethod
    def is_network(model: Any) -> bool:
        """Whether it is a torch module."""
        from torch import nn

        return isinstance(model, nn.Module)

    def family(self, model: Any) -> ModuleType:
        """The module with the checks of the model's kind, and its `trained`."""
        raise NotImplementedError

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
            neither_family(self.built)
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


def task_of(shape: Shape, n_classes: int = 10, **facts: Any) -> Task:
    """A task of such images."""
    statistics = {"mean": (0.5,) * shape[0], "std": (0.25,) * shape[0], "n_train": 100, **facts}
    return Task(shape, n_classes, CLASSES[:n_classes], **statistics)


def neither_family(model: Any) -> None:
    """Raises `Nonconformity` where it is neither family."""
    if not ModelUnderTest.is_network(model) and not (hasattr(model, "fit") and hasattr(model, "predict_proba")):
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
