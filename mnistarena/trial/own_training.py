"""What the `fit(training)` of a model that trains itself gets."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from mnistarena.engine import measure, prediction
from mnistarena.engine.batches import Batches
from mnistarena.engine.checkpoint import Checkpoints, Interrupted, State
from mnistarena.engine.model_state import all_of, make_room, put_back
from mnistarena.engine.packing import Arrays, Unusable, pack, to_array, to_tensor, unpack
from mnistarena.engine.prediction import Scores
from mnistarena.engine.random_state import capture_streams, restore_streams
from mnistarena.engine.seeds import derive
from mnistarena.engine.step import in_float32
from mnistarena.errors import TrialError
from mnistarena.plugin.components import Task
from mnistarena.plugin.fit import Teacher
from mnistarena.plugin.messages import HistoryRow, Measurements, StepsDone
from mnistarena.pretrained.teacher import TeacherParams
from mnistarena.trial.fit_host import Host
from mnistarena.trial.teacher import load_teacher

NEWS_SECONDS = 1.0
"""How often steps are reported, at most."""


Drawn = TypeVar("Drawn", torch.Tensor, list[torch.Tensor])


class OwnTraining:
    """`mnistarena.FitContext`, for the process of a trial."""

    def __init__(
        self, host: Host, model: nn.Module, *, split: Batches, held: Batches, checkpoints: Checkpoints
    ) -> None:
        self.task: Task = host.chain.task
        self.device, self.seed = host.device, host.seed
        self.steps_done, self.note = 0, host.note
        self.resumed = False
        self._host, self._model, self._split, self._held = host, model, split, held
        self._checkpoints = checkpoints
        self._begun = 0
        """How many times batches were asked for."""
        self._rows: list[HistoryRow] = []
        self._images, self._seconds, self._cpu, self._row_step = 0, 0.0, 0.0, -1
        self._sums: dict[str, list[float]] = {}
        self._losses: list[torch.Tensor] = []
        self._news = self._began = time.perf_counter()
        self._start_clock()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in type(self._host.recipe).model_fields:
            known = ", ".join(type(self._host.recipe).model_fields) if not name.startswith("_") else ""
            raise AttributeError(f'a training has no "{name}"; [training] has {known}')
        if self._host.uses is not None and name not in self._host.uses:
            raise TrialError(
                f'fit(training) reads training.{name}, which "uses" in its ModelDef leaves out; add it there'
            )
        self._host.read.add(name)
        return getattr(self._host.recipe, name)

    # ---- Data

    def batches(
        self, epoch: int, *, batch_size: int | None = None, drop_last: bool = False, balanced: bool = False
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every training image once, transformed, the random ones too; order and draws by the seed and `epoch`."""
        size, order, augment = self._drawn(epoch, batch_size)
        drawn = self._split.epoch(size, order, augment, drop_last=drop_last, balanced=balanced)
        yield from self._counted(drawn)

    def views(
        self, epoch: int, number: int = 2, *, batch_size: int | None = None, drop_last: bool = False
    ) -> Iterator[tuple[list[torch.Tensor], torch.Tensor]]:
        """As `batches`, with several views of the same images, each by random transforms of its own."""
        size, order, augment = self._drawn(epoch, batch_size)
        yield from self._counted(self._split.views(number, size, order, augment, drop_last=drop_last))

    def _counted(self, drawn: Iterator[tuple[Drawn, torch.Tensor]]) -> Iterator[tuple[Drawn, torch.Tensor]]:
        """Batches, their images counted; `TrialError` where others, of the same generator, are begun meanwhile."""
        self._begun += 1
        mine = self._begun
        for images, labels in drawn:
            if mine != self._begun and self._split.chain.random:
                raise TrialError(
                    "training.batches or training.views was begun again while one was open: both draw from one random "
                    "generator. Use training.views for several views of the same images, or finish one first"
                )
            self._images += len(labels)
            yield images, labels

    def _drawn(self, epoch: int, batch_size: int | None) -> tuple[int, int, int]:
        """Images of a batch, and an epoch's seeds of the order and of the random transforms."""
        size = self.batch_size if batch_size is None else batch_size
        return size, derive(self.seed, "order", epoch), derive(self.seed, "augment", epoch)

    def in_order(self, *, batch_size: int | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every training image once, as it lies, without random transforms."""
        return self._split.labelled(batch_size)

    def teacher(self, params: TeacherParams) -> Teacher:
        """The trained model that the prepared parameters name, for the images of these batches."""
        return load_teacher(params, self._host)

    @property
    def groups(self) -> torch.Tensor | None:
        """The group of each training image, as `in_order` has them; None where the dataset has none."""
        groups = self._host.groups
        return None if groups is None else torch.from_numpy(np.array(groups)).to(self.device)

    # ---- Progress

    @property
    def should_stop(self) -> bool:
        """Whether the trial was asked to stop."""
        return self._checkpoints.asked()

    def step(self, loss: torch.Tensor | float | None = None, **logged: float) -> None:
        """Count a step, with its loss and what else the history is to show."""
        self.steps_done += 1
        if loss is not None:
            self._losses.append(torch.as_tensor(loss).detach().reshape(()))
        for name, value in logged.items():
            if not math.isfinite(value):
                raise TrialError(f'the logged "{name}" is {float(value)} at step {self.steps_done}')
            self._sums.setdefault(name, []).append(float(value))
        if (now := time.perf_counter()) - self._news > NEWS_SECONDS:
            self._news = now
            self._host.send(StepsDone(self.steps_done, self._total(), loss=self._mean_loss() or 0.0))

    def validate(self) -> Scores:
        """Add a row to the history and score the model on the validation split."""
        self._stop_clock()
        scores = self._scores()
        loss = self._mean_loss()
        row: HistoryRow = {
            "epoch": round(self._images / max(1, self._split.n), 4),
            "step": self.steps_done,
            "learning_rate": None,
            "train_loss": loss,
            "validation_loss": scores.get("validation_loss"),
            "validation_accuracy": scores.get("validation_accuracy"),
            "train_seconds": self._seconds,
            "wall_seconds": time.perf_counter() - self._began,
        }
        if self._sums:
            row["logged"] = {name: sum(values) / len(values) for name, values in self._sums.items()}
        self._rows.append(row)
        self._losses, self._sums, self._row_step = [], {}, self.steps_done
        self._host.add(row)
        self._start_clock()
        return scores

    def _scores(self) -> Scores:
        if not self._held.n:
            return {}
        modes = {module: module.training for module in self._model.modules()}
        amp = in_float32(self.device)
        found = prediction.scores(self._model, self._held, self.task.n_classes, amp, self._host.output)
        for module, mode in modes.items():
            module.training = mode
        return found

    def _mean_loss(self) -> float | None:
        """The mean loss since the last row; raises `TrialError` where a loss is not finite."""
        if not self._losses:
            return None
        losses = torch.stack([one.double().cpu() for one in self._losses])
        for index, loss in enumerate(losses.tolist()):
            if not math.isfinite(loss):
                step = self.steps_done - len(losses) + 1 + index
                raise TrialError(f"training diverged: the loss is {loss} at step {step}")
        return float(losses.mean())

    def _total(self) -> int:
        """Steps in all, as far as they are known: as the recipe would take them, where the model follows it."""
        recipe = self._host.recipe
        planned = recipe.steps or math.ceil(self._split.n / recipe.batch_size) * (recipe.epochs or 1)
        return max(planned, self.steps_done)

    def _stop_clock(self) -> None:
        measure.synchronize(self.device)
        self._seconds += time.perf_counter() - self._started
        self._cpu += measure.cpu_seconds() - self._started_cpu

    def _start_clock(self) -> None:
        self._started, self._started_cpu = time.perf_counter(), measure.cpu_seconds()

    # ---- Checkpoints

    def checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write where the training is, where it is time to; ends the trial where it was asked to stop."""
        if not self._checkpoints.due(end_of_epoch=True):
            return
        self._stop_clock()
        self._checkpoints.store(lambda: self._captured(state))
        if self.should_stop:
            raise Interrupted(self.steps_done, self._total())
        self._start_clock()

    def _captured(self, state: Mapping[str, Any]) -> tuple[State, Arrays]:
        drawn, generators = capture_streams(self.device)
        tensors: dict[str, torch.Tensor] = {}
        kept = {
            "model": pack(all_of(self._model), "model", tensors, "the model"),
            "own": pack(dict(state), "own", tensors, "the state given to checkpoint"),
            "generators": pack(generators, "streams", tensors, "the random streams"),
            "losses": pack([float(one) for one in self._losses], "losses", tensors, "the losses"),
            "sums": pack(self._sums, "sums", tensors, "the logged values"),
        }
        found = {
            "step": self.steps_done,
            "rows": self._rows,
            "row_step": self._row_step,
            "images_seen": self._images,
            "train_seconds": self._seconds,
            "train_cpu_seconds": self._cpu,
            "wall_seconds": time.perf_counter() - self._began,
            "kept": kept,
            "dtypes": {key: str(value.dtype).removeprefix("torch.") for key, value in tensors.items()},
            "strides": {key: list(value.stride()) for key, value in tensors.items()},
            "streams": drawn,
        }
        return found, {key: to_array(value) for key, value in tensors.items()}

    def resume(self) -> dict[str, Any] | None:
        """The state of the last checkpoint; the model's tensors and the random streams are put back."""
        if self._checkpoints.found is None:
            return None
        state, arrays = self._checkpoints.found

        def tensor(key: str) -> torch.Tensor:
            value = to_tensor(arrays[key], state["dtypes"][key])
            return torch.empty_strided(value.shape, state["strides"][key], dtype=value.dtype).copy_(value)

        try:
            kept = {name: unpack(value, tensor) for name, value in state["kept"].items()}
            make_room(self._model, kept["model"])
            put_back(self._model, kept["model"])
            restore_streams(state["streams"], kept["generators"], self.device)
            self.steps_done, self._rows, self._images = state["step"], list(state["rows"]), state["images_seen"]
            self._seconds, self._row_step = state["train_seconds"], state["row_step"]
            self._cpu = state["train_cpu_seconds"]
            self._began = time.perf_counter() - state["wall_seconds"]
            self._host.write_history(self._rows)
            self._losses, self._sums = (
                [torch.tensor(loss, dtype=torch.float64) for loss in kept["losses"]],
                kept["sums"],
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as problem:
            raise Unusable(f"{type(problem).__name__}: {problem}") from problem
        self.resumed = True
        self._start_clock()
        own: dict[str, Any] = kept["own"]
        return own

    # ---- The end

    def outcome(self) -> Measurements:
        """How the training went; its last row is added where the model has not asked for it."""
        self._stop_clock()
        self._start_clock()
        if self._row_step != self.steps_done or not self._rows:
            self.validate()
        row = self._rows[-1]
        return {
            "train_seconds": self._seconds,
            "train_cpu_seconds": self._cpu,
            "images_per_second": self._images / self._seconds if self._images and self._seconds else None,
            "epochs": row["epoch"],
            "steps": self.steps_done,
            "train_loss": row["train_loss"],
            "validation_loss": row["validation_loss"],
            "validation_accuracy": row["validation_accuracy"],
        }
