"""The training loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import nn

from mnistarena.engine.average import Average
from mnistarena.engine.backbone import to_training
from mnistarena.engine.batches import Batches
from mnistarena.engine.checkpoint import Best, Changing, Checkpoints, Interrupted
from mnistarena.engine.history import row_ends
from mnistarena.engine.loss import loss_function
from mnistarena.engine.measure import cpu_seconds, synchronize
from mnistarena.engine.monitor import Monitor
from mnistarena.engine.optimizer import make_optimizer
from mnistarena.engine.own_methods import OwnMethods, StepContext
from mnistarena.engine.parts import Schedule, make_augmentation
from mnistarena.engine.prediction import Scores
from mnistarena.engine.random_state import seed_everything
from mnistarena.engine.seeds import derive
from mnistarena.engine.step import Batch, autocast, make_step, single_image_named, warm_up
from mnistarena.engine.watch import Watch
from mnistarena.errors import TrialError
from mnistarena.plugin.messages import HistoryRow, Measurements
from mnistarena.plugin.predictions import Output
from mnistarena.plugin.registry import Registry, built_in
from mnistarena.spec.schema import Training

NEWS_SECONDS = 1.0
"""How often a training reports its steps, at most."""


def train(
    model: nn.Module,
    batches: Batches,
    recipe: Training,
    *,
    seed: int,
    registry: Registry | None = None,
    watch: Watch | None = None,
    checkpoints: Checkpoints | None = None,
    spent: float = 0.0,
    spent_cpu: float = 0.0,
    output: Output = "logits",
) -> Measurements:
    """Train `model`, which returns `output`, in place and return how it went.

    The recipe's components are looked up in `registry`, by default what is built in. `train_seconds` is synchronised
    and excludes warm-up, loading, validation and checkpoints; it starts from the seconds `spent` on this training
    before, and `train_cpu_seconds`, of the processor, from `spent_cpu`. Raises `TrialError` where the loss is no longer
    finite, `Interrupted` where `checkpoints` says to stop.
    """
    loop = _Loop(
        model, batches, recipe, seed, registry or built_in(), watch or Watch(), checkpoints or Checkpoints(), output
    )
    loop.progress.train_seconds = loop.progress.train_seconds or spent + loop.own.seconds
    loop.progress.train_cpu_seconds = loop.progress.train_cpu_seconds or spent_cpu + loop.own.cpu_seconds
    while loop.progress.step < loop.total and not loop.progress.stopped:
        loop.epoch()
    return loop.outcome()


class _Loop:
    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        recipe: Training,
        seed: int,
        registry: Registry,
        watch: Watch,
        checkpoints: Checkpoints,
        output: Output,
    ) -> None:
        self.model, self.batches, self.recipe, self.seed = model, batches, recipe, seed
        self.watch, self.checkpoints = watch, checkpoints
        task, amp = batches.chain.task, autocast(recipe, batches.device)
        self.size = recipe.batch_size * recipe.accumulate
        self.per_epoch = batches.per_epoch(self.size, drop_last=recipe.drop_last)
        self.total = recipe.steps or self.per_epoch * (recipe.epochs or 1)
        self.row_ends = row_ends(recipe, self.per_epoch, self.total)
        self.augment = make_augmentation(recipe, task, registry)
        self.monitor = Monitor(recipe, registry)
        context = StepContext(batches, seed, total=self.total, note=self.watch.note)
        self.own = OwnMethods(model, context)
        loss_of = loss_function(
            model, recipe, task, registry=registry, labels=batches.labels, output=output, context=context
        )
        to_training(model)
        if not (self.own.starts and checkpoints.make_room(model)):
            self.own.start()
        warm_up(model, loss_of, amp, device=batches.device, example=self.example)
        self.optimizer = make_optimizer(model, recipe, batches.device, registry)
        self.schedule = Schedule(recipe, self.total, self.per_epoch, registry)
        self.average = None if recipe.average is None else Average(recipe.average, model, self.total)
        self.changing = Changing(model, self.optimizer, schedule=self.schedule, average=self.average, batches=batches)
        self.optimizer.switch(training=True)
        self.progress = checkpoints.resume(self.changing)
        to_training(model)
        self.take_step = make_step(
            model, loss_of, recipe, self.optimizer, amp=amp, device=batches.device, example=self.example
        )
        self.scale = 1.0
        self.loss_sum = torch.full((), self.progress.loss_sum, device=batches.device)
        self.losses: list[torch.Tensor] = []
        """Of each step since the last row; read only when one of them is not finite."""
        self.news = self.started = time.perf_counter()
        self.started_cpu = cpu_seconds()
        self.began = self.news - self.progress.wall_seconds

    def batches_of(self, epoch: int, done: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, augmented; an epoch that goes on has so many steps `done`."""
        recipe = self.recipe
        order, augment = (derive(self.seed, purpose, epoch) for purpose in ("order", "augment"))
        balanced = recipe.sampling == "balanced"
        drawn = self.batches.epoch(self.size, order, augment, done, drop_last=recipe.drop_last, balanced=balanced)
        for images, labels in drawn:
            yield self.augment(images, labels, self.batches.generator)

    def example(self) -> Batch:
        """A batch as training has them, which leaves the generators as they were."""
        generator = self.batches.generator.get_state()
        batch = next(self.batches_of(0))
        self.batches.generator.set_state(generator)
        return batch

    def epoch(self) -> None:
        """Train on every image once, or on what is left of an epoch that was interrupted."""
        progress = self.progress
        if progress.batch == 0:
            progress.epoch += 1
            seed_everything(derive(self.seed, "noise", progress.epoch))  # dropout: a stream an epoch
        self.own.context.epoch = progress.epoch - 1
        to_training(self.model)
        self.start_clock()
        for images, targets in self.batches_of(progress.epoch, progress.batch):
            self.step(images, targets)
            if progress.step in self.row_ends:
                self.stop_clock()
                self.add_row()
                self.start_clock()
            if progress.step == self.total or progress.stopped:
                break
            if progress.batch < self.per_epoch and self.checkpoints.due(end_of_epoch=False):
                self.stop_clock()
                self.save()
                self.start_clock()
        progress.batch = 0
        if self.checkpoints.due(end_of_epoch=True):
            self.save()

    def step(self, images: torch.Tensor, targets: torch.Tensor) -> None:
        """Train on one batch."""
        progress = self.progress
        self.scale = self.schedule.factor(progress.step)
        self.take_step.set_rate(self.scale)
        self.own.context.step = progress.step
        with single_image_named(progress.step + 1):
            self.losses.append(self.take_step(images, targets))
        self.loss_sum += self.losses[-1] * len(images)
        progress.counted += len(images)
        progress.step += 1
        progress.batch += 1
        self.own.after_step(progress.step)
        if self.average is not None:
            self.average.after_step()
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
        better = False
        if step == self.total or whole_epoch:
            if self.average is not None:
                self.average.after_epoch(step)
            with self.evaluated():
                scores = self.watch.validate()
                better = self.judge(scores)
                if better and self.recipe.select == "best":
                    self.changing.best = copy.deepcopy(self.model.state_dict())
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
        if "validation_monitor" in scores:
            row["validation_monitor"] = scores["validation_monitor"]
        if better and progress.best is not None:
            progress.best["row"] = row
        progress.rows.append(row)
        self.watch.on_row(row)
        progress.stopped |= self.watch.prunes(row)
        self.loss_sum.zero_()
        self.losses.clear()
        progress.counted = 0

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """The model as it would be kept now, in the block: its optimizer's evaluation mode, its mean weights."""
        self.optimizer.switch(training=False)
        with nullcontext() if self.average is None else self.average.in_place():
            yield
        self.optimizer.switch(training=True)
        to_training(self.model)

    def judge(self, scores: Scores) -> bool:
        """Whether an epoch's scores are the best so far; counts the epochs since then, and tells the schedule."""
        progress, score = self.progress, self.monitor.score(scores)
        if score is None:
            return False
        self.schedule.after_epoch(scores["validation_loss"], score[0])
        if better := progress.best is None or score > progress.best["score"]:
            progress.best, progress.waited = Best(score=score, row={"epoch": 0, "step": 0}), 0
        else:
            progress.waited += 1
        progress.stopped = self.recipe.patience is not None and progress.waited >= self.recipe.patience
        return better

    def save(self) -> None:
        """Write a checkpoint; raises `Interrupted` where the training was asked to stop."""
        self.progress.loss_sum = self.finite_loss()
        self.progress.wall_seconds = time.perf_counter() - self.began
        self.checkpoints.save(self.progress, self.changing)
        if self.checkpoints.asked() and self.progress.step < self.total and not self.progress.stopped:
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
        self.optimizer.switch(training=False)
        if self.average is not None:
            self.average.put()
        if progress.best is not None and self.changing.best is not None:
            selected = progress.best["row"]
            self.model.load_state_dict(self.changing.best)
        scores: Scores = {}
        if self.own.end():
            progress.train_seconds += self.own.seconds
            progress.train_cpu_seconds += self.own.cpu_seconds
            scores = self.watch.validate()
        measurements: Measurements = {
            "train_seconds": progress.train_seconds,
            "train_cpu_seconds": progress.train_cpu_seconds,
            "images_per_second": progress.images_seen / progress.train_seconds if progress.train_seconds else None,
            "epochs": last["epoch"],
            "steps": progress.step,
            "selected_epoch": selected["epoch"],
            "train_loss": selected["train_loss"],
            "validation_loss": scores.get("validation_loss", selected["validation_loss"]),
            "validation_accuracy": scores.get("validation_accuracy", selected["validation_accuracy"]),
        }
        if progress.step < self.total and self.watch.prunes(last):
            measurements["pruned"] = True
        return measurements
