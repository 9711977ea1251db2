"""The training loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from mnistarena.backbone import to_training
from mnistarena.batches import Batches
from mnistarena.checkpoint import Checkpoints, Interrupted, Progress
from mnistarena.errors import TrialError
from mnistarena.measure import synchronize
from mnistarena.schedules import factor
from mnistarena.seeds import derive
from mnistarena.spec.schema import Training
from mnistarena.steps import GraphStep, Loss, Step, recordable
from mnistarena.streams import seed_everything

Row = dict[str, Any]


def train(
    model: nn.Module,
    batches: Batches,
    recipe: Training,
    seed: int,
    validate: Callable[[], Row],
    on_row: Callable[[Row], None],
    on_step: Callable[[int, int, float], None],
    checkpoints: Checkpoints | None = None,
    spent: float = 0.0,
) -> Row:
    """Train `model` in place and return how it went.

    `validate()` gives `validation_loss` and `validation_accuracy` (None without a validation split);
    `on_row` gets a row of the history, `on_step(step, total, mean loss)` news about once a second.
    `train_seconds` is synchronised and excludes warm-up, loading, validation and checkpoints; it starts from
    the seconds `spent` on this training before.
    Raises `TrialError` where the loss is no longer finite, `Interrupted` where `checkpoints` says to stop.
    """
    device, checkpoints = batches.device, checkpoints or Checkpoints()
    amp = autocast(recipe, device)
    warm_up(model, batches, recipe, amp)
    optimizer = make_optimizer(model, recipe, device)
    per_epoch = math.ceil(batches.n / recipe.batch_size)
    total = recipe.steps or per_epoch * (recipe.epochs or 1)
    stops = row_ends(recipe, per_epoch, total)
    progress, best = checkpoints.resume(model, optimizer, batches)
    progress.train_seconds = progress.train_seconds or spent
    take_step = make_step(model, batches, recipe, optimizer, amp)
    loss_sum = torch.full((), progress.loss_sum, device=device)
    losses: list[torch.Tensor] = []  # of each step since the last row: looked through only when one is not finite
    news = time.perf_counter()
    began = news - progress.wall_seconds

    def save() -> None:
        progress.loss_sum = finite(loss_sum, losses, progress)
        progress.wall_seconds = time.perf_counter() - began
        checkpoints.save(progress, model, best, optimizer, batches)
        if checkpoints.asked() and progress.step < total:
            raise Interrupted(progress.step, total)

    while progress.step < total:
        if progress.batch == 0:
            progress.epoch += 1
            seed_everything(derive(seed, "noise", progress.epoch))  # dropout: a stream an epoch
        to_training(model)
        started = time.perf_counter()
        order, augment = derive(seed, "order", progress.epoch), derive(seed, "augment", progress.epoch)
        for images, labels in batches.epoch(recipe.batch_size, order, augment, done=progress.batch):
            scale = factor(recipe.schedule, progress.step, total)
            take_step.set_rate(scale)
            losses.append(take_step(images, labels))
            loss_sum += losses[-1] * len(labels)
            progress.counted += len(labels)
            progress.step += 1
            progress.batch += 1
            step = progress.step
            if (now := time.perf_counter()) - news > 1:
                on_step(step, total, finite(loss_sum, losses, progress) / progress.counted)
                news = now
            if step in stops:
                synchronize(device)
                progress.train_seconds += time.perf_counter() - started
                progress.images_seen += progress.counted
                row: Row = {
                    "epoch": step // per_epoch if step % per_epoch == 0 else round(step / per_epoch, 4),
                    "step": step,
                    "learning_rate": take_step.rates[0] * scale,
                    "train_loss": finite(loss_sum, losses, progress) / progress.counted,
                    "validation_loss": None,
                    "validation_accuracy": None,
                }
                if step == total or step % per_epoch == 0:
                    row |= validate()
                    to_training(model)
                row |= {"train_seconds": progress.train_seconds, "wall_seconds": time.perf_counter() - began}
                progress.rows.append(row)
                on_row(row)
                loss_sum.zero_()
                losses.clear()
                progress.counted, started = 0, time.perf_counter()
            if step == total:
                break
            if progress.batch < per_epoch and checkpoints.due(end_of_epoch=False):
                synchronize(device)
                progress.train_seconds += time.perf_counter() - started
                save()
                started = time.perf_counter()
        progress.batch = 0
        if recipe.select == "best":
            row = progress.rows[-1]
            score = [row["validation_accuracy"], -row["validation_loss"]]
            if progress.best is None or score > progress.best["score"]:
                progress.best, best = {"score": score, "row": row}, copy.deepcopy(model.state_dict())
        if checkpoints.due(end_of_epoch=True):
            save()
    last, selected = progress.rows[-1], progress.rows[-1]
    if progress.best is not None and best is not None:
        selected = progress.best["row"]
        model.load_state_dict(best)
    return {
        "train_seconds": progress.train_seconds,
        "images_per_second": progress.images_seen / progress.train_seconds if progress.train_seconds else None,
        "epochs": last["epoch"],
        "steps": progress.step,
        "selected_epoch": selected["epoch"],
        **{key: selected[key] for key in ("train_loss", "validation_loss", "validation_accuracy")},
    }


def row_ends(recipe: Training, per_epoch: int, total: int) -> set[int]:
    """The steps after which the history gets a row: each epoch; a tenth of a training counted in steps."""
    ends = set(range(per_epoch, total + 1, per_epoch)) | {total}
    if recipe.steps is not None:
        ends |= {math.ceil(total * part / 10) for part in range(1, 11)}
    return ends


def finite(loss_sum: torch.Tensor, losses: list[torch.Tensor], progress: Progress) -> float:
    """The sum of the losses, unless it is infinite or not a number; then the first step that made it so."""
    value = loss_sum.item()
    if not math.isfinite(value):
        steps = range(progress.step - len(losses) + 1, progress.step + 1)
        found = ((step, loss.item()) for step, loss in zip(steps, losses, strict=True))
        step, loss = next(((s, v) for s, v in found if not math.isfinite(v)), (progress.step, value))
        raise TrialError(
            f"training diverged: the loss is {loss} in epoch {progress.epoch}, at step {step}; "
            "lower the learning rate, add warmup_steps, or set gradient_clip"
        )
    return value


def loss_function(model: nn.Module, recipe: Training) -> Loss:
    """What is minimised: the model's own `training_loss(images, labels)`, else the recipe's on its logits."""
    own = getattr(model, "training_loss", None)
    if own is not None:
        return cast(Loss, own)
    if recipe.loss == "multi-margin":
        return lambda images, labels: functional.multi_margin_loss(model(images), labels)
    if recipe.loss == "brier":

        def brier(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            probabilities = model(images).softmax(1)
            wanted = functional.one_hot(labels, probabilities.shape[1])
            return (probabilities - wanted).square().sum(1).mean()

        return brier
    smoothing = recipe.label_smoothing
    return lambda images, labels: functional.cross_entropy(model(images), labels, label_smoothing=smoothing)


def autocast(recipe: Training, device: torch.device) -> torch.autocast:
    """bfloat16 where the recipe asks for it, or leaves it to us and it pays (CUDA)."""
    bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16)


def make_optimizer(model: nn.Module, recipe: Training, device: torch.device) -> torch.optim.Optimizer:
    """The recipe's optimizer over the trainable parameters, fused where torch has that for it."""
    by_name = {name.lower(): value for name, value in vars(torch.optim).items() if isinstance(value, type)}
    optimizer = by_name[recipe.optimizer.name.lower()]
    groups = parameter_groups(model, recipe.lr_factors)
    arguments = recipe.optimizer.arguments
    fused = {"adam", "adamw", "sgd", "adagrad"}
    if recipe.optimizer.name.lower() in fused and device.type in ("cpu", "cuda"):
        arguments = {"fused": True, **arguments}
    if recipe.optimizer.name.lower() in ("adam", "adamw") and device.type == "cuda" and "capturable" not in arguments:
        # So that a recorded step reads the rate, which the schedule moves, from the device.
        rate = torch.tensor(float(arguments.get("lr", 0.001)), device=device)
        arguments = {**arguments, "lr": rate, "capturable": True}
    try:
        made = optimizer([{"params": parameters} for parameters in groups.values()], **arguments)
    except (TypeError, ValueError, RuntimeError) as problem:
        raise TrialError(f"torch.optim.{optimizer.__name__} refuses {arguments}: {problem}") from problem
    for group, rate_factor in zip(made.param_groups, groups, strict=True):
        if rate_factor != 1:
            group["lr"] = group["lr"] * rate_factor
    return made


def parameter_groups(model: nn.Module, factors: dict[str, float]) -> dict[float, list[nn.Parameter]]:
    """The trainable parameters by the factor of their learning rate; the recipe's own rate comes first.

    A factor is of a module or parameter by its name; the innermost one counts. 0 leaves it as it is.
    """
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    used, names = set(), []
    for name, parameter in model.named_parameters():
        names.append(name)
        found = [key for key in factors if name == key or name.startswith(f"{key}.")]
        used.update(found)
        if parameter.requires_grad:
            groups.setdefault(factors[max(found, key=len)] if found else 1.0, []).append(parameter)
    unknown = sorted(set(factors) - used)
    if unknown:
        parts = list(dict.fromkeys(name.partition(".")[0] for name in names))
        raise TrialError(
            f'lr_factors: no parameter that is trained belongs to "{unknown[0]}"; the model has {", ".join(parts)}'
        )
    groups = {factor: parameters for factor, parameters in groups.items() if parameters}
    if not groups:
        raise TrialError("the model has no trainable parameter")
    return groups


def make_step(
    model: nn.Module, batches: Batches, recipe: Training, optimizer: torch.optim.Optimizer, amp: torch.autocast
) -> Step:
    """The step of this training; on a GPU recorded as a graph where that is possible."""
    kind = GraphStep if recordable(optimizer, batches.device) else Step
    step = kind(model, loss_function(model, recipe), optimizer, amp, recipe.gradient_clip)
    if isinstance(step, GraphStep) and batches.n >= recipe.batch_size:
        to_training(model)
        generator = batches.generator.get_state()
        step.record(*next(iter(batches.epoch(recipe.batch_size, 0, 0))))
        batches.generator.set_state(generator)
        synchronize(batches.device)
    return step


def warm_up(model: nn.Module, batches: Batches, recipe: Training, amp: torch.autocast) -> None:
    """One step on a copy that is thrown away, so that lazily built kernels are not timed as training."""
    twin = copy.deepcopy(model)
    own = loss_function(twin, recipe)
    to_training(twin)
    images, labels = next(iter(batches.epoch(recipe.batch_size, 0, 0)))
    with amp:
        loss = own(images, labels)
    loss.backward()
    synchronize(batches.device)
