"""What a model is given that trains itself, or takes part in its training. Torch is never imported here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mnistarena.plugin.components import Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from mnistarena.pretrained.teacher import TeacherParams

Scores = Mapping[str, float]


class TrainingContext(Protocol):
    """A training by the engine under way, as a module's own `on_start`, `training_loss`, `after_step`, `on_end` see it.

    Never a test image, nor one of validation.
    """

    @property
    def task(self) -> Task:
        """The task after all transforms: `image_shape`, `n_classes`, `n_train`, `class_counts` …"""
        ...

    @property
    def device(self) -> torch.device:
        """Where the model and every batch are."""
        ...

    @property
    def seed(self) -> int:
        """The trial's seed. torch's, NumPy's and Python's streams are seeded from it already."""
        ...

    @property
    def step(self) -> int:
        """How many steps are done."""
        ...

    @property
    def total(self) -> int:
        """How many steps the training has; fewer are done where it ends early."""
        ...

    @property
    def epoch(self) -> int:
        """The number of the epoch, from 0."""
        ...

    def in_order(self, *, batch_size: int | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every training image once, as it lies, without random transforms: `(N, C, H, W)` and labels int64 `(N,)`."""
        ...

    def note(self, sentence: str) -> None:
        """A fact that a reader of the results must know."""
        ...


class Teacher(Protocol):
    """A trained model that only answers; no module, so never a part of the model that learns from it."""

    model: nn.Module
    """Its module, frozen and in evaluation mode."""

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits float32 `(N, n_classes)` of images `(N, C, H, W)` after their transforms, in its own precision.

        Of a teacher whose output is probabilities their logarithm; scores as they are.
        """
        ...


class FitContext(Protocol):
    """A training under way, as a model's own `fit(training)` sees it.

    Never a test image, and validation images by their score only. Values of the spec's [training] are attributes:
    `training.epochs`, `training.batch_size`, `training.precision` …; the report shows those that were read.
    """

    @property
    def task(self) -> Task:
        """The task after all transforms: `image_shape`, `n_classes`, `n_train`, `class_counts` …"""
        ...

    @property
    def device(self) -> torch.device:
        """Where the model and every batch are."""
        ...

    @property
    def seed(self) -> int:
        """The trial's seed. torch's, NumPy's and Python's streams are seeded from it already."""
        ...

    @property
    def steps_done(self) -> int:
        """How many times `step` was called, before an interruption as well."""
        ...

    @property
    def should_stop(self) -> bool:
        """Whether the trial was asked to stop: the next `checkpoint` writes one and ends the trial."""
        ...

    def __getattr__(self, name: str) -> Any:
        """A value of the spec's [training]; AttributeError where there is none of this name."""
        ...

    def batches(
        self, epoch: int, *, batch_size: int | None = None, drop_last: bool = False, balanced: bool = False
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every training image once: float `(N, C, H, W)` and labels int64 `(N,)`, transformed, the random ones too.

        Order and random transforms depend on the seed and `epoch` alone. `batch_size` is the recipe's where it is not
        given; with `drop_last`, a smaller last batch is left out; with `balanced`, as many images are drawn with
        replacement, of every class as many on average.
        """
        ...

    def views(
        self, epoch: int, number: int = 2, *, batch_size: int | None = None, drop_last: bool = False
    ) -> Iterator[tuple[list[torch.Tensor], torch.Tensor]]:
        """As `batches`, with a list of so many views of the same images, each with random transforms drawn anew."""
        ...

    def in_order(self, *, batch_size: int | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every training image once, as it lies, without random transforms: for features, prototypes, neighbours."""
        ...

    @property
    def groups(self) -> torch.Tensor | None:
        """The group of each training image, int64 `(n_train,)`, as `in_order` has them; None: the dataset has none."""
        ...

    def teacher(self, params: TeacherParams) -> Teacher:
        """The trained model that `params.teacher` names, for the images of these batches.

        `params` are what `mnistarena.pretrained.prepare_teacher` returned. Raises `ArenaError` where the teacher is not
        what the plan says, or was trained on other classes or with other transforms.
        """
        ...

    def step(self, loss: torch.Tensor | float | None = None, **logged: float) -> None:
        """Count a step: its loss, a scalar, goes into the history; `logged` values are averaged beside it.

        Raises `TrialError` where the loss is not finite. It does not call `backward`.
        """
        ...

    def validate(self) -> Scores:
        """Add a row to the history, and score the model as it is now: `validation_accuracy`, `validation_loss`.

        Empty where the spec sets no validation images aside. The model is in training mode again afterwards.
        """
        ...

    def checkpoint(self, state: Mapping[str, Any]) -> None:
        """Where to go on from after an interruption: nested dicts, lists, tensors, arrays, numbers, texts.

        The module's own parameters and buffers and the random streams are kept beside it. Written where it is time to,
        or where the trial was asked to stop, which ends the trial here.
        """
        ...

    def resume(self) -> dict[str, Any] | None:
        """The state of the last `checkpoint`; None at a fresh start. To be called once, when everything is built.

        The module's parameters, buffers and the random streams are put back by this call.
        """
        ...

    def note(self, sentence: str) -> None:
        """A fact that a reader of the results must know."""
        ...
