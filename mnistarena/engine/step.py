"""One step of a training: kernel by kernel, or on a GPU as one recorded CUDA graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from mnistarena.engine.backbone import to_training
from mnistarena.engine.batches import Batches
from mnistarena.engine.loss import Loss, loss_function
from mnistarena.engine.measure import synchronize
from mnistarena.engine.unchanged import unchanged
from mnistarena.errors import first_line
from mnistarena.plugin.predictions import Output
from mnistarena.spec.schema import Training

WARM_UPS = 3
"""Steps before a graph is recorded, as torch's documentation advises: libraries choose their kernels in them."""

CLOSE = 0.05
"""How far, relatively, the first loss after a replayed step may be from that after an ordinary one."""


class Step:
    """Forward, backward, clipping and the optimizer, launched kernel by kernel."""

    def __init__(
        self,
        model: nn.Module,
        loss_of: Loss,
        optimizer: torch.optim.Optimizer,
        *,
        amp: torch.autocast,
        gradient_clip: float | None,
    ) -> None:
        self.model, self.loss_of, self.optimizer, self.amp = model, loss_of, optimizer, amp
        self.gradient_clip = gradient_clip
        self.rates = [float(group["lr"]) for group in optimizer.param_groups]
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def set_rate(self, factor: float) -> None:
        """Set the learning rates to this factor of the recipe's."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            if isinstance(group["lr"], torch.Tensor):  # the graph reads the rate from it
                group["lr"].fill_(rate * factor)
            else:
                group["lr"] = rate * factor

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Train on a batch; its loss, on the device."""
        with self.amp:
            loss = self.loss_of(images, labels)
        for parameter in self.parameters:  # as zero_grad() does, which costs a hundredth of a small net's step
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        if self.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.gradient_clip)
        self.optimizer.step()
        return loss.detach()


class GraphStep(Step):
    """The same step recorded once as a CUDA graph and replayed: one launch instead of a hundred.

    A batch of another size than the recorded one, such as an epoch's last, runs kernel by kernel. `record` says
    whether recording worked; a model that cannot be recorded (its control flow asks the device) is trained without.
    """

    graph: torch.cuda.CUDAGraph | None = None

    def record(self, images: torch.Tensor, labels: torch.Tensor) -> bool:
        """Record the step on copies of this batch, and check a replay against an ordinary step."""
        device = images.device
        self.images, self.labels = images.clone(memory_format=torch.preserve_format), labels.clone()
        restore = self._undo(device)
        try:
            side = torch.cuda.Stream(device)
            side.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(side):
                for _ in range(WARM_UPS):
                    super().__call__(self.images, self.labels)
                restore()
                super().__call__(self.images, self.labels)
                wanted = self._loss()
                restore()
            torch.cuda.current_stream(device).wait_stream(side)
            self.optimizer.zero_grad(set_to_none=True)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.loss = super().__call__(self.images, self.labels)
            restore()
            graph.replay()
            found = self._loss()
            restore()
        except Exception as problem:  # a model that a graph cannot hold is trained without
            restore()
            print(f"trained kernel by kernel: the step cannot be recorded ({first_line(problem)})")
            return False
        if not abs(found - wanted) <= CLOSE * max(abs(wanted), 0.1):
            print(
                f"trained kernel by kernel: after a replayed step the loss is {found}, after an ordinary one {wanted}"
            )
            return False
        self.graph = graph
        return True

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Train on a batch; its loss, on the device."""
        if self.graph is None or images.shape != self.images.shape:
            return super().__call__(images, labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        return self.loss.clone()

    def _undo(self, device: torch.device) -> Callable[[], None]:
        """A function that sets everything that a step changes back to where it is now."""
        fresh = not self.optimizer.state
        before = self._tensors()
        kept = [tensor.clone() for tensor in before]
        streams = torch.cuda.get_rng_state(device) if torch.cuda.is_available() else None

        def restore() -> None:
            with torch.no_grad():
                for tensor, value in zip(before, kept, strict=True):
                    tensor.copy_(value)
                # Adam's state is zero before its first step.
                for state in self.optimizer.state.values() if fresh else ():
                    for value in state.values():
                        value.zero_()
            if streams is not None:
                torch.cuda.set_rng_state(streams, device)

        return restore

    def _loss(self) -> float:
        """The loss on the recorded batch in evaluation mode."""
        training = {module: module.training for module in self.model.modules()}
        self.model.eval()
        with torch.no_grad(), self.amp:
            value = float(self.loss_of(self.images, self.labels))
        for module, mode in training.items():
            module.training = mode
        return value

    def _tensors(self) -> list[torch.Tensor]:
        """Every tensor that a step changes."""
        state = [v for values in self.optimizer.state.values() for v in values.values() if isinstance(v, torch.Tensor)]
        return [*self.model.parameters(), *self.model.buffers(), *state]


def recordable(optimizer: torch.optim.Optimizer, device: torch.device) -> bool:
    """Whether a step of this optimizer may become a graph: Adam and AdamW on a CUDA device, made capturable."""
    adam = isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW))
    return device.type == "cuda" and adam and all(group.get("capturable") for group in optimizer.param_groups)


def autocast(recipe: Training, device: torch.device) -> torch.autocast:
    """bfloat16 where the recipe asks for it, or where its precision is "auto" and the device is a GPU."""
    bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=bf16)


def make_step(
    model: nn.Module,
    batches: Batches,
    recipe: Training,
    optimizer: torch.optim.Optimizer,
    amp: torch.autocast,
    output: Output = "logits",
) -> Step:
    """The step of this training; on a GPU recorded as a graph where that is possible."""
    kind = GraphStep if recordable(optimizer, batches.device) else Step
    step = kind(model, loss_function(model, recipe, output), optimizer, amp=amp, gradient_clip=recipe.gradient_clip)
    if isinstance(step, GraphStep) and batches.n >= recipe.batch_size:
        to_training(model)
        generator = batches.generator.get_state()
        step.record(*next(iter(batches.epoch(recipe.batch_size, 0, 0))))
        batches.generator.set_state(generator)
        synchronize(batches.device)
    return step


def warm_up(
    model: nn.Module, batches: Batches, recipe: Training, amp: torch.autocast, output: Output = "logits"
) -> None:
    """One step without a trace, so that kernels that are built at their first use are not timed as training."""
    loss_of = loss_function(model, recipe, output)
    with unchanged(model, batches.device):
        to_training(model)
        images, labels = next(iter(batches.epoch(recipe.batch_size, 0, 0)))
        with amp:
            loss = loss_of(images, labels)
        loss.backward()  # type: ignore[no-untyped-call]
    synchronize(batches.device)
