"""What a plugin describes and what it is given: the types that plugin authors use.

Torch is never imported here: descriptors are cheap, the heavy imports belong into `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from mnistarena.plugin.predictions import Output, Predictions
from mnistarena.plugin.settings import Settings
from mnistarena.plugin.space import Space

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from mnistarena.plugin.messages import ComponentIdentity
    from mnistarena.plugin.registry import Registry
    from mnistarena.plugin.split_identity import SplitIdentity

Shape = tuple[int, int, int]
"""An image's shape as (channels, height, width)."""


class Params(BaseModel):
    """Base of a component's parameters: strict, frozen, and without unknown keys.

    Every field carries a default, `Field(description=…)` and its bounds. They validate the spec before
    anything runs, and they are the documentation that `arena show` prints.
    Use `list`, not `tuple`, for TOML arrays: strict validation does not convert.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    def identity(self) -> Settings:
        """A model's parameters that decide what a trial computes, as plain data; by default all of them.

        Override it where another field says the same better: the path of a file whose digest is a field too. Other
        components always count with all of theirs.
        """
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Task:
    """What a component has to work with.

    For a model: the task after all transforms. For a transform: the task as it stands before it.
    `mean` and `std` are the training split's, a value a channel of the *original* images in [0, 1]; `class_counts`
    says how many images of each class it holds, after limits.
    """

    image_shape: Shape
    n_classes: int
    _: KW_ONLY
    class_names: tuple[str, ...]
    n_train: int
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    class_counts: tuple[int, ...] = ()

    def with_shape(self, shape: Shape) -> Task:
        """The same task with images of another shape."""
        return replace(self, image_shape=shape)


@dataclass(frozen=True)
class LeftOut:
    """A file or a row that a dataset's reader did not take, and why, such as "not an image"."""

    name: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """Images and labels, as numpy arrays, for training and for the final test.

    Images are uint8 `(n, C, H, W)`, labels int64 `(n,)` in `0 … n_classes - 1`. Arrays may be mapped from files.
    Without test images (`n` = 0) they are all one split, which the spec divides: `test`, `folds` or `splits`.
    `validation_rows`, int64, are the training images that the publisher set aside for validation.
    `known_label_errors` are indices into the test split whose given label is known to be wrong. `train_groups`, int64
    `(n,)`, says which training images belong together, such as those of one writer or patient: validation images are
    set aside by whole groups then. `test_groups` says it of the test images: intervals and verdicts then count groups,
    not images, as what is drawn by chance; a number in both is one group. `train_names` and `test_names` are what a
    person would look an image up by, its path or its row; `left_out` is what was found and not read.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    _: KW_ONLY
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    known_label_errors: tuple[int, ...] = ()
    train_groups: NDArray[np.int64] | None = None
    test_groups: NDArray[np.int64] | None = None
    validation_rows: NDArray[np.int64] | None = None
    train_names: Sequence[str] | None = None
    test_names: Sequence[str] | None = None
    left_out: Sequence[LeftOut] = ()
    licence: str = ""
    source: str = ""

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> Shape:
        """The shape of one image, (C, H, W)."""
        _, channels, height, width = self.train_images.shape
        return channels, height, width


@dataclass(frozen=True)
class DataContext:
    """Where a dataset plugin may keep files, whether it may download them, and where relative paths start.

    `data_dir` is the cache (created on demand by the plugin); `download` is false where only files that are
    already there may be used, as in `arena validate`; `base_dir` is the spec's folder.
    """

    data_dir: Path
    download: bool = True
    _: KW_ONLY
    base_dir: Path = Path()

    def path(self, text: str) -> Path:
        """A path that a spec names: below its folder where it is relative; "~" is the home folder."""
        return self.base_dir / Path(text).expanduser()


@dataclass
class PrepareContext:
    """What `ModelDef.prepare` gets: where relative paths start, whether to download, and a place for notes.

    A note is a sentence the plan, the report and the terminal show, such as which weights were used. `files` are
    those that the model's code will read, by SHA-256: an executor takes them along to other machines.
    `dataset` says which images the model is trained on, `task` is theirs, before its `transforms`; they are missing in
    `arena check`. `registry` is what is installed, with the plugins that are single files.
    """

    base_dir: Path
    download: bool = True
    _: KW_ONLY
    notes: list[str] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    dataset: SplitIdentity | None = None
    task: Task | None = None
    transforms: Sequence[ComponentIdentity] = ()
    registry: Registry | None = None

    def note(self, sentence: str) -> None:
        """Record a fact that a reader of the results must know."""
        if sentence not in self.notes:
            self.notes.append(sentence)


@dataclass(frozen=True)
class ModelDef:
    """A model that a spec can name.

    `build(params, task)` returns a `torch.nn.Module` that maps float images `(N, C, H, W)` to logits
    `(N, n_classes)`, or a scikit-learn classifier, which gets flattened images `(N, C·H·W)`.

    Optional: `check(params, task)`, free of torch, returns a sentence when the input does not fit and
    names the transform that fixes it, else None. `prepare(params, context)` turns preferences into
    facts (which weights are available, their digest) before the plan is fixed, and returns params.
    `deterministic=True`: training does not depend on the seed, so one seed is enough. `output` says what the model
    returns; None: logits of a module, of a classifier `predict_proba` where it has one, else `predict`. `uses` are the
    keys of [training] that its training takes part in, `()` for a classifier that is fitted; None: all of them. The
    others are no part of its trials, and a spec that sets one for this model is told so. `caveat` is what a reader of
    its figures must know, such as that it is not what its name says; the report shows it beside the first figure.
    `search` is a space of parameters that are worth a search, for specs that have a [search] and name none.
    `bf16(params, device)` says whether training gains by bfloat16 on a "cpu", a "cuda" or another device that computes
    in it itself: what precision = "auto" asks; None: it does.

    Optional on the module, by duck type: `training_loss(images, labels)` in place of the recipe's loss, which may take
    a `TrainingContext` as third argument; `on_start(context)`, `after_step(context)`, `on_end(context)`, called without
    gradients before the first step, after each, after the last; `auxiliary`, names of its modules that are of use in
    training only, such as a teacher: neither counted nor stored; `fit(training)`, see `FitContext`;
    `predict_extras(images) -> dict[str, Tensor]`, rows aligned with the images (`boxes`, left, top, right, bottom
    in shares of the image's sides, are drawn in the report's gallery); `backbone` and `head`, modules
    where nothing but the head is trained: the backbone then stays in evaluation mode, and where `forward(x)` is
    `head(backbone(x))` and no transform is random, its output is computed once, and the trial's notes say so.

    An interrupted training continues from the module's parameters and buffers: whatever else training
    changes in a module must be kept in a buffer.
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    build: Callable[[Any, Task], Any]
    check: Callable[[Any, Task], str | None] | None = None
    prepare: Callable[[Any, PrepareContext], Any] | None = None
    deterministic: bool = False
    output: Output | None = None
    uses: tuple[str, ...] | None = None
    caveat: str = ""
    search: Space = ()
    bf16: Callable[[Any, str], bool] | None = None


@dataclass(frozen=True)
class DatasetDef:
    """A dataset that a spec can name. `load(params, context)` returns a `Dataset` or raises `DataError`."""

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    load: Callable[[Any, DataContext], Dataset]


@dataclass(frozen=True)
class TransformDef:
    """A transform of image batches that a spec can name.

    `build(params, task)` returns a callable `(images, generator) -> images` on a float batch
    `(N, C, H, W)` on the device, values in [0, 1] before the first transform. `shape(params, shape)` says
    what it does to `(C, H, W)` and raises `ValueError` with a sentence where it cannot; None: nothing.
    A `random` transform draws per image from `generator`, and is skipped at evaluation.
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    build: Callable[[Any, Task], Callable[[torch.Tensor, torch.Generator], torch.Tensor]]
    random: bool = False
    shape: Callable[[Any, Shape], Shape] | None = None


@dataclass(frozen=True)
class MetricDef:
    """A figure computed from one trial's predictions: `compute(predictions, params) -> float`.

    It returns None, or raises `NoValue` with the reason, where the figure has no meaning for this model, such as the
    quality of boxes where none are predicted, and log loss where there are no probabilities, which raises `NoValue`
    by itself. Where it raises anything else, or is not finite, the figure is missing with that reason; the trial is
    done either way.

    `share` says that the figure lies from 0 to 1: it is shown in %, differences and margins in percentage points.
    Intervals and verdicts need what each image contributes. `per_image(predictions, params)` returns that, bool or
    float `(n,)`, with the figure as its mean: of a mean over images its terms, of a figure of the whole set θ + ψ_i,
    ψ_i the derivative of the figure θ with respect to the image's weight, times n. Without it `compute` is called 30
    times more, each time without another block of images (a jackknife).
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    compute: Callable[[Predictions, Any], float | None]
    higher_is_better: bool
    share: bool = False
    per_image: Callable[[Predictions, Any], NDArray[Any]] | None = None
