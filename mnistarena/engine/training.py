"""The training loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import cast

import torch
from torch import nn

from mnistarena.engine.backbone import to_training
from mnistarena.engine.batches import Batches
from mnistarena.engine.checkpoint import Best, Checkpoints, Interrupted
from mnistarena.engine.measure import cpu_seconds, synchronize
from mnistarena.engine.optimizer import make_optimizer
from mnistarena.engine.prediction import Scores
from mnistarena.engine.random_state import seed_everything
from mnistarena.engine.schedule import factor
from mnistarena.engine.seeds import derive
from mnistarena.engine.step import autocast, make_step, warm_up
from mnistarena.errors import TrialError
from mnistarena.plugin.messages import HistoryRow, Measurements
from mnistarena.spec.schema import Training

NEWS_SECONDS = 1.0
"""How often a training reports its steps, at most."""


def _ignore(*news: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Watch:
    """Who is asked and told while a training runs.

    `validate()` gives the scores on the validation split (empty where there is none); `on_row(row)` gets each row
    of the history, `on_step(step, total, mean loss)` news about once a second.
    """

    validate: Callable[[], Scores] = lambda: {}
    on_row: Callable[[HistoryRow], None] = _ignore
    _: KW_ONLY
    on_step: Callable[[int, int, float], None] = _ignore


def train(
    model: nn.Module,
    batches: Batches,
    recipe: Training,
    *,
    seed: int,
    watch: Watch | None = None,
    checkpoints: Checkpoints | None = None,
    spent: float = 0.0,
    spent_cpu: float = 0.0,
) -> Measurements:
    """Train `model` in place and return how it went.

    `train_seconds` is synchronised and excludes warm-up, loading, validation and checkpoints; it starts from
    the seconds `spent` on this training before, and `train_cpu_seconds`, of the processor, from `spent_cpu`.
    Raises `TrialError` where the loss is no longer finite, `Interrupted` where `checkpoints` says to stop.
    """
    loop = _Loop(model, batches, recipe, seed, watch or Watch(), checkpoints or Checkpoints(), (spent, spent_cpu))
    while loop.progress.step < loop.total:
        loop.epoch()
    return loop.outcome()


class _Loop:
    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        recipe: Training,
        seed: int,
        watch: Watch,
        checkpoints: Checkpoints,
        spent: tuple[float, float],
    ) -> None:
        self.model, self.batches, self.recipe, self.seed = model, batches, recipe, seed
        self.watch, self.checkpoints = watch, checkpoints
        amp = autocast(recipe, batches.device)
        warm_up(model, batches, recipe, amp)
        self.optimizer = make_optimizer(model, recipe, batches.device)
        self.per_epoch = math.ceil(batches.n / recipe.batch_size)
        self.total = recipe.steps or self.per_epoch * (recipe.epochs or 1)
        self.row_ends = row_ends(recipe, self.per_epoch, self.total)
        self.progress, self.best = checkpoints.resume(model, self.optimizer, batches)
        self.progress.train_seconds = self.progress.train_seconds or spent[0]
        self.progress.train_cpu_seconds = self.progress.train_cpu_seconds or spent[1]
        self.take_step = make_step(model, batches, recipe, self.optimizer, amp)
        self.scale = 1.0
        self.loss_sum = torch.full((), self.progress.loss_sum, device=batches.device)
        self.losses: list[torch.Tensor] = []
        """Of each step since the last row; read only when one of them is not finite."""
        self.news = self.started = time.perf_counter()
        self.started_cpu = cpu_seconds()
        self.began = self.news - self.progress.wall_seconds

    def epoch(self) -> None:
        """Train on every image once, or on what is left of an epoch that was interrupted."""
        progress, recipe = self.progress, self.recipe
        if progress.batch == 0:
            progress.epoch += 1
            seed_everything(derive(self.seed, "noise", progress.epoch))  # dropout: a stream an epoch
        to_training(self.model)
        self.start_clock()
        order, augment = (derive(self.seed, purpose, progress.epoch) for purpose in ("order", "augment"))
        for images, labels in self.batches.epoch(recipe.batch_size, order, augment, done=progress.batch):
            self.step(images, labels)
            if progress.step in self.row_ends:
                self.stop_clock()
                self.add_row()
                self.start_clock()
            if progress.step == self.total:
                break
            if progress.batch < self.per_epoch and self.checkpoints.due(end_of_epoch=False):
                self.stop_clock()
                self.save()
                self.start_clock()
        progress.batch = 0
        if recipe.select == "best":
            self.keep_best()
        if self.checkpoints.due(end_of_epoch=True):
            self.save()

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Train on one batch."""
        progress = self.progress
        self.scale = factor(self.recipe.schedule, progress.step, self.total)
        self.take_step.set_rate(self.scale)
        self.losses.append(self.take_step(images, labels))
        self.loss_sum += self.losses[-1] * len(labels)
        progress.counted += len(labels)
        progress.step += 1
        progress.batch += 1
        if (now := time.perf_counter()) - self.news > NEWS_SECONDS:
            self.watch.on_step(progress.step, self.total, self.finite_loss() / progress.counted)
            self.news = now

    def start_clock(self) -> None:
        """What follows is the training's time."""
        self.started, self.started_cpu = time.perf_counter(), cpu_seconds()

    def stop_clock(self) -> None:
        """Add the time since the clock was started to the training's time."""
        synchronize(self.batches.device)
        self.progress.train_seconds += time.perf_counter() - self.started
        self.progress.train_cpu_seconds += cpu_seconds() - self.started_cpu

    def add_row(self) -> None:
        """Add a row to the history; at the end of an epoch, with scores on the validation split."""
        progress, step = self.progress, self.progress.step
        progress.images_seen += progress.counted
        whole_epoch = step % self.per_epoch == 0
        loss = self.finite_loss() / progress.counted
        scores: Scores = {}
        if step == self.total or whole_epoch:
            scores = self.watch.validate()
            to_training(self.model)
        row: HistoryRow = {
            "epoch": step // self.per_epoch if whole_epoch else round(step / self.per_epoch, 4),
            "step": step,
            "learning_rate": self.take_step.rates[0] * self.scale,
            "train_loss": loss,
            "validation_loss": scores.get("validation_loss"),
            "validation_accuracy": scores.get("validation_accuracy"),
            "train_seconds": progress.train_seconds,
            "wall_seconds": time.perf_counter() - self.began,
        }
        progress.rows.append(row)
        self.watch.on_row(row)
        self.loss_sum.zero_()
        self.losses.clear()
        progress.counted = 0

    def keep_best(self) -> None:
        """Keep the model's state if its last epoch scored best on the validation split."""
        row = self.progress.rows[-1]
        score = [cast(float, row["validation_accuracy"]), -cast(float, row["validation_loss"])]
        if self.progress.best is None or score > self.progress.best["score"]:
            self.progress.best = Best(score=score, row=row)
            self.best = copy.deepcopy(self.model.state_dict())

    def save(self) -> None:
        """Write a checkpoint; raises `Interrupted` where the training was asked to stop."""
        self.progress.loss_sum = self.finite_loss()
        self.progress.wall_seconds = time.perf_counter() - self.began
        self.checkpoints.save(self.progress, self.model, self.best, self.optimizer, self.batches)
        if self.checkpoints.asked() and self.progress.step < self.total:
            raise Interrupted(self.progress.step, self.total)

    def finite_loss(self) -> float:
        """The sum of the losses since the last row.

        Raises `TrialError` that names the first step whose loss is infinite or not a number.
        """
        value = self.loss_sum.item()
        if not math.isfinite(value):
            progress = self.progress
            steps = range(progress.step - len(self.losses) + 1, progress.step + 1)
            found = ((step, loss.item()) for step, loss in zip(steps, self.losses, strict=True))
            step, loss = next(((s, v) for s, v in found if not math.isfinite(v)), (progress.step, value))
            raise TrialError(
                f"training diverged: the loss is {loss} in epoch {progress.epoch}, at step {step}; "
                "lower the learning rate, add warmup_steps, or set gradient_clip"
            )
        return value

    def outcome(self) -> Measurements:
        """How the training went; the selected epoch's state is put into the model."""
        progress = self.progress
        last = selected = progress.rows[-1]
        if progress.best is not None and self.best is not None:
            selected = progress.best["row"]
            self.model.load_state_dict(self.best)
        return {
            "train_seconds": progress.train_seconds,
            "train_cpu_seconds": progress.train_cpu_seconds,
            "images_per_second": progress.images_seen / progress.train_seconds if progress.train_seconds else None,
            "epochs": last["epoch"],
            "steps": progress.step,
            "selected_epoch": selected["epoch"],
            "train_loss": selected["train_loss"],
            "validation_loss": selected["validation_loss"],
            "validation_accuracy": selected["validation_accuracy"],
        }


def row_ends(recipe: Training, per_epoch: int, total: int) -> set[int]:
    """The steps after which the history gets a row: each epoch; a tenth of a training counted in steps."""
    ends = set(range(per_epoch, total + 1, per_epoch)) | {total}
    if recipe.steps is not None:
        ends |= {math.ceil(total * part / 10) for part in range(1, 11)}
    return ends
