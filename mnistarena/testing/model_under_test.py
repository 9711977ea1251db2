"""A model under test: its images, its transforms, and the model itself, built and trained."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.builtin.datasets import digits as builtin_digits
from mnistarena.data import dataset, splits
from mnistarena.engine.seeds import derive
from mnistarena.errors import PluginError
from mnistarena.paths import data_dir
from mnistarena.plugin.components import DataContext, ModelDef, PrepareContext, Shape, Task, TransformDef
from mnistarena.plugin.predictions import Output
from mnistarena.plugin.registry import Registry, installed
from mnistarena.testing.check import Nonconformity, NotApplicable, shape_text
from mnistarena.testing.component import ComponentUnderTest, as_shape

if TYPE_CHECKING:
    from torch import nn

    from mnistarena.engine.chain import Chain


SHAPES: tuple[Shape, ...] = ((1, 8, 8), (1, 28, 28), (1, 32, 32), (3, 32, 32), (1, 64, 64), (3, 64, 64), (3, 224, 224))
"""Image shapes to try, in this order, where none is given."""

CLASSES = tuple("0123456789")
IMAGES = 160


class ModelUnderTest(ComponentUnderTest):
    """A model, tried on a part of scikit-learn's digits, enlarged to images that the model takes.

    `registry` is where its `transforms` and its teacher are looked up; by default, what is installed.
    """

    kind = "model"
    definition: ModelDef

    def __init__(
        self,
        definition: ModelDef,
        module: str | os.PathLike[str],
        params: Mapping[str, Any],
        *,
        image_shape: Sequence[int] | None = None,
        transforms: Sequence[str | Mapping[str, Any]] = (),
        steps: int = 30,
        learning_rate: float = 0.003,
        images: int = IMAGES,
        registry: Registry | None = None,
    ) -> None:
        super().__init__(definition, module, params)
        self.wanted_shape = as_shape(image_shape)
        self.steps, self.learning_rate, self.n_images = steps, learning_rate, images
        self.registry = registry
        self.transforms = _transforms(transforms, registry or installed()) if transforms else []
        self.read: set[str] = set()
        """Keys of [training] that a model which trains itself has read so far."""
        self._found: dict[Hashable, Any] = {}
        self._placed = False

    def once(self, what: Hashable, find: Callable[[], Any]) -> Any:
        """What `find` returns, the first time that it is asked for: several checks share it."""
        if what not in self._found:
            self._found[what] = find()
        return self._found[what]

    @property
    def output(self) -> Output:
        """What a network returns."""
        return self.definition.output or "logits"

    @property
    def prepare_context(self) -> PrepareContext:
        """What the model's `prepare` gets."""
        return PrepareContext(data_dir(), download=False, registry=self.registry)

    @cached_property
    def prepared(self) -> Any:
        """The parameters as `build` gets them."""
        if self.definition.prepare is None:
            return self.params
        try:
            return self.definition.prepare(self.params, self.prepare_context)
        except NotApplicable:
            raise
        except Exception as problem:
            raise NotApplicable('prepare fails: see "prepare"') from problem

    @cached_property
    def shape_before(self) -> Shape:
        """The shape of the images before the transforms: the wanted one, or the first that the model takes."""
        refused = []
        for shape in [self.wanted_shape] if self.wanted_shape else SHAPES:
            try:
                sentence = self.refusal(self.shape_after(shape))
            except ValueError as problem:
                sentence = str(problem)
            except NotApplicable:
                raise
            except Exception as problem:
                raise NotApplicable('check fails: see "check"') from problem
            if sentence is None:
                return shape
            refused.append(f"{shape_text(shape)}: {sentence}")
        raise NotApplicable(f"it refuses the images ({refused[-1]}): give image_shape= or transforms=")

    def refusal(self, shape: Shape, n_classes: int = 10) -> str | None:
        """What the model's `check` returns for images of a shape."""
        check = self.definition.check
        return None if check is None else check(self.prepared, task_of(shape, n_classes))

    def shape_after(self, shape: Shape) -> Shape:
        """The shape after the transforms; raises `ValueError` where one of them refuses it."""
        for definition, params in self.transforms:
            if definition.shape is not None:
                shape = definition.shape(params, shape)
        return shape

    @cached_property
    def digits(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images uint8 `(n, C, H, W)` enlarged to the shape before the transforms, and labels."""
        return self.digits_of(tuple(range(10)))

    def digits_of(self, classes: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The same, as many images where there are so many, of some classes only."""
        (definition,) = builtin_digits.arena_datasets()
        loaded = definition.load(definition.params(), DataContext(data_dir(), download=False))
        those = np.flatnonzero(np.isin(loaded.train_labels, classes))
        rows = those[splits.stratified(loaded.train_labels[those], min(self.n_images, len(those)), 0)]
        channels, height, width = self.shape_before
        down, across = np.arange(height) * 8 // height, np.arange(width) * 8 // width
        images = loaded.train_images[rows][:, :, down][:, :, :, across].repeat(channels, axis=1)
        return np.ascontiguousarray(images), loaded.train_labels[rows]

    @cached_property
    def chain(self) -> Chain:
        """The transforms, built."""
        from mnistarena.engine.chain import Chain

        mean, std = dataset.channel_statistics(self.digits[0])
        task = Task(
            self.shape_before,
            len(CLASSES),
            class_names=CLASSES,
            n_train=self.n_images,
            mean=mean,
            std=std,
            class_counts=tuple(np.bincount(self.digits[1], minlength=len(CLASSES)).tolist()),
        )
        return Chain(self.transforms, task)

    def build(self, seed: int = 0, task: Task | None = None, *, started: bool = False) -> Any:
        """A new model, with the random streams seeded as in a trial; where it is `started`, after its `on_start`."""
        import torch

        from mnistarena.engine.batches import Batches
        from mnistarena.engine.layout import set_format
        from mnistarena.engine.own_methods import OwnMethods, StepContext
        from mnistarena.engine.random_state import seed_everything
        from mnistarena.trial.model import build_model

        seed_everything(derive(seed, "initialisation"))
        built = build_model(self.definition, self.prepared, task or self.chain.task)
        if is_network(built) and task in (None, self.chain.task):
            self._place(built)
        elif is_network(built):
            set_format(built, torch.channels_last)
        if is_network(built) and started:
            split = Batches(*self.digits, chain=self.chain, device=torch.device("cpu"), keep=False)
            OwnMethods(built, StepContext(split, seed, total=self.steps)).start()
        return built

    def _place(self, network: nn.Module) -> None:
        """Put a network into the memory format that the first one took: to try it takes two copies of the network."""
        import torch
        from torch.nn.parameter import is_lazy

        from mnistarena.engine.layout import place, set_format

        if self._placed and not any(is_lazy(one) for one in (*network.parameters(), *network.buffers())):
            set_format(network, self.chain.memory_format)
        else:
            place(network, self.chain, torch.device("cpu"))
            self._placed = True

    @cached_property
    def built_or_raise(self) -> Any:
        """A new model; raises what `build` raises."""
        return self.build(task=self.chain.task, started=True)

    @cached_property
    def built(self) -> Any:
        """The same, which no check trains; `NotApplicable` where the check "builds" fails."""
        try:
            require_model(self.built_or_raise)
        except NotApplicable:
            raise
        except Exception as problem:
            raise NotApplicable('it could not be built: see "builds"') from problem
        return self.built_or_raise

    @cached_property
    def trained_or_raise(self) -> Any:
        """A model after the short training; raises what the training raises."""
        return self.train()

    def train(self) -> Any:
        """A new model after the short training of its family."""
        raise NotImplementedError

    @cached_property
    def trained(self) -> Any:
        """The same; `NotApplicable` where the training fails."""
        try:
            return self.trained_or_raise
        except NotApplicable:
            raise
        except Exception as problem:
            raise NotApplicable('it could not be trained: see "learns"') from problem


def is_network(built: Any) -> bool:
    """Whether what `build` returned is a torch module."""
    from torch import nn

    return isinstance(built, nn.Module)


def require_model(built: Any) -> None:
    """Raises `Nonconformity` where what `build` returned belongs to neither family."""
    from mnistarena.trial.model import is_classifier

    if not is_network(built) and not is_classifier(built):
        raise Nonconformity(
            f"build returned {type(built).__name__}; return a torch.nn.Module, or a scikit-learn classifier with fit "
            "and predict_proba, decision_function or predict"
        )


def task_of(shape: Shape, n_classes: int = 10) -> Task:
    """A task with images of a shape, and up to ten classes."""
    mean, std = (0.5,) * shape[0], (0.25,) * shape[0]
    counts = tuple(100 // n_classes + (i < 100 % n_classes) for i in range(n_classes))
    names = CLASSES[:n_classes]
    return Task(shape, n_classes, class_names=names, n_train=100, mean=mean, std=std, class_counts=counts)


def _transforms(entries: Sequence[str | Mapping[str, Any]], registry: Registry) -> list[tuple[TransformDef, Any]]:
    """Transforms as a spec names them, each with its parameters."""
    found: list[tuple[TransformDef, Any]] = []
    for entry in entries:
        arguments = {} if isinstance(entry, str) else {key: value for key, value in entry.items() if key != "name"}
        name = entry if isinstance(entry, str) else entry.get("name")
        if not isinstance(name, str):
            raise PluginError(f'transforms: {entry!r} has no "name"; write them as in a spec')
        definition = registry.get("transform", name).definition
        found.append((definition, definition.params(**arguments)))
    return found
