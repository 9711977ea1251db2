"""One step of a training: kernel by kernel, or on a GPU as one recorded CUDA graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch
from torch import nn

from mnistarena.engine.agreement import Snapshot
from mnistarena.engine.loss import Loss
from mnistarena.engine.measure import synchronize
from mnistarena.engine.optimizer import Optimizers
from mnistarena.engine.own_methods import loss_takes_context
from mnistarena.engine.random_state import capture_streams, restore_streams
from mnistarena.engine.unchanged import Kept, unchanged
from mnistarena.errors import TrialError, first_line
from mnistarena.spec.schema import Training

WARM_UPS = 3
"""Steps before a graph is recorded, as torch's documentation advises: libraries choose their kernels in them."""

COMPARED = 2
"""Replays that are compared with as many ordinary steps."""

CLOSE = 0.5
"""How far parameters or buffers after replayed steps may be from those after ordinary ones, as a share of their change.

Replays that do nothing are 1 away, and those that draw other random numbers about as far. Not 0: many kernels of a GPU
add in another order each time, and Adam's first steps are a whole rate long even where a gradient is rounding error.
"""

Batch = tuple[torch.Tensor, torch.Tensor]
"""Images `(N, C, H, W)`, and targets: int64 `(N,)` or float `(N, n_classes)`."""


class Step:
    """Forward, backward, clipping and the optimizer, launched kernel by kernel.

    With `part`, images that go through the model together: gradients of a batch's parts are added up before the
    optimizer steps, each weighted by its share of the batch.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_of: Loss,
        optimizer: Optimizers,
        *,
        amp: torch.autocast,
        gradient_clip: float | None,
        part: int | None = None,
    ) -> None:
        self.model, self.loss_of, self.optimizer, self.amp = model, loss_of, optimizer, amp
        self.gradient_clip, self.part = gradient_clip, part
        self.rates = [float(group["lr"]) for group in optimizer.param_groups]
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def set_rate(self, factor: float) -> None:
        """Set the learning rates to this factor of the recipe's."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            if isinstance(group["lr"], torch.Tensor):  # the graph reads the rate from it
                group["lr"].fill_(rate * factor)
            else:
                group["lr"] = rate * factor

    def __call__(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Train on a batch; its loss, on the device."""
        if self.optimizer.closure:
            return self._with_closure(images, targets)
        loss = self._gradients(images, targets)
        self.optimizer.step()
        return loss

    def _gradients(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Compute the gradients of a batch, clipped; its loss."""
        for parameter in self.parameters:  # as zero_grad() does, which costs a hundredth of a small net's step
            parameter.grad = None
        if self.part is None or len(images) <= self.part:
            found = self._backward(images, targets)
        else:
            pairs = zip(images.split(self.part), targets.split(self.part), strict=True)
            found = torch.stack([self._backward(i, t, len(i) / len(images)) for i, t in pairs]).sum()
        if self.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.gradient_clip)
        return found

    def _backward(self, images: torch.Tensor, targets: torch.Tensor, share: float | None = None) -> torch.Tensor:
        """Add the gradients of the loss of some images, times their share of the batch; that loss."""
        with self.amp:
            loss = self.loss_of(images, targets)
        if share is not None:
            loss = loss * share
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _with_closure(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Let the optimizer compute the loss as often as it likes, each time with the same random draws."""
        drawn, generators = capture_streams(images.device)
        losses: list[torch.Tensor] = []

        def closure() -> torch.Tensor:
            restore_streams(drawn, generators, images.device)
            losses.append(self._gradients(images, targets))
            return losses[-1]

        self.optimizer.step(closure)
        return losses[0]


class GraphStep(Step):
    """The same step recorded once as a CUDA graph and replayed: one launch instead of a hundred.

    A batch of another size than the recorded one, such as an epoch's last, runs kernel by kernel. `record` says
    whether recording worked; a model that cannot be recorded (its control flow asks the device, or it draws or keeps
    something on the host, which a graph would freeze) is trained without.
    """

    graph: torch.cuda.CUDAGraph | None = None

    def record(self, images: torch.Tensor, targets: torch.Tensor) -> bool:
        """Record the step on copies of this batch, and check replays against ordinary steps."""
        self.images, self.targets = images.clone(memory_format=torch.preserve_format), targets.clone()
        batch = self.images, self.targets
        before = Snapshot(self.model, self.optimizer, images.device)
        try:
            if changes_the_host(self.model, lambda: self.ordinary(*batch)):
                before.restore()
                print(
                    "trained kernel by kernel: a step draws random numbers or changes attributes outside the device, "
                    "or puts another tensor in a buffer's place, which a recorded step would repeat unchanged"
                )
                return False
            before.restore()
            graph = self._recorded(before)
            found = before.compare(self.ordinary, lambda *_: graph.replay(), [batch] * COMPARED)
        except Exception as problem:  # a model that a graph cannot hold is trained without
            before.restore()
            print(f"trained kernel by kernel: the step cannot be recorded ({first_line(problem)})")
            return False
        finally:
            self.optimizer.zero_grad(set_to_none=True)
        if not found.share <= CLOSE:
            print(
                f"trained kernel by kernel: after replayed steps the model is {found.share:.2g} of their change away "
                "from that after ordinary ones"
            )
            return False
        self.graph = graph
        return True

    def _recorded(self, before: Snapshot) -> torch.cuda.CUDAGraph:
        """A graph of the step on the batch that is kept; warm-up steps are undone."""
        device = self.images.device
        graph = torch.cuda.CUDAGraph()
        # A graph is of the current device; and a recording that fails leaves its stream the current one.
        with torch.cuda.device(device), torch.cuda.stream(torch.cuda.current_stream(device)):
            side = torch.cuda.Stream(device)
            side.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(side):
                for _ in range(WARM_UPS):
                    self.ordinary(self.images, self.targets)
                before.restore()
            torch.cuda.current_stream(device).wait_stream(side)
            self.optimizer.zero_grad(set_to_none=True)
            try:
                with torch.cuda.graph(graph, stream=side):
                    self.loss = self.ordinary(self.images, self.targets)
            except Exception:
                free_generator(device)
                raise
        return graph

    def ordinary(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Train on a batch kernel by kernel; its loss, on the device."""
        return super().__call__(images, targets)

    def __call__(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Train on a batch; its loss, on the device."""
        if self.graph is None or images.shape != self.images.shape or targets.shape != self.targets.shape:
            return self.ordinary(images, targets)
        self.images.copy_(images)
        self.targets.copy_(targets)
        self.graph.replay()
        return self.loss.clone()


def free_generator(device: torch.device) -> None:
    """After a recording that failed: older versions of torch refuse random numbers until another one has ended well."""
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the graph is empty
        with torch.cuda.graph(torch.cuda.CUDAGraph(), stream=torch.cuda.Stream(device)):
            pass


def changes_the_host(model: nn.Module, step: Callable[[], object]) -> bool:
    """Whether a step draws from a random stream outside the device, or changes what a module holds other than in place.

    That is a plain attribute, or a buffer that gets a new tensor. Looked at is the second step: in the first, modules
    fill caches. Streams and the model are put back. A step that is replayed as a graph would do none of it again.
    """
    device = torch.device("cpu")
    with unchanged(model, device):
        step()
        kept, (drawn, generators) = Kept(model), capture_streams(device)
        step()
        after, cpu = capture_streams(device)
        return kept.host_changed() or after != drawn or not torch.equal(cpu["cpu"], generators["cpu"])


@contextmanager
def single_image_named(step: int) -> Iterator[None]:
    """What batch normalisation raises for one image alone becomes a `TrialError` that names the step."""
    try:
        yield
    except ValueError as problem:
        if "more than 1 value per channel" not in str(problem):
            raise
        raise TrialError(
            f"step {step} trains on one image alone, of which batch normalisation has no statistics; "
            "set drop_last = true, or another batch_size"
        ) from problem


def recordable(model: nn.Module, optimizer: Optimizers, device: torch.device) -> bool:
    """Whether a step may become a graph: of Adam or AdamW, made capturable, on a CUDA device.

    A model that changes between steps cannot: a graph would repeat the step's number that its loss reads from the
    context, and attributes that `after_step` sets.
    """
    if loss_takes_context(model) or hasattr(model, "after_step"):
        return False
    adam = all(isinstance(one, (torch.optim.Adam, torch.optim.AdamW)) for one in optimizer.members)
    ready = all(g.get("capturable") and isinstance(g["lr"], torch.Tensor) for g in optimizer.param_groups)
    return device.type == "cuda" and adam and ready


def autocast(recipe: Training, device: torch.device) -> torch.autocast:
    """For training: bfloat16 where the recipe's precision is that ("auto" became one or the other in the plan)."""
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16")


def in_float32(device: torch.device) -> torch.autocast:
    """For evaluation, of whatever precision: in bfloat16 a model puts some images into other classes."""
    return torch.autocast(device.type, torch.bfloat16, enabled=False)


def make_step(
    model: nn.Module,
    loss_of: Loss,
    recipe: Training,
    optimizer: Optimizers,
    *,
    amp: torch.autocast,
    device: torch.device,
    example: Callable[[], Batch],
) -> Step:
    """The step of this training; on a GPU recorded as a graph of a batch like `example()` where that is possible."""
    kind = GraphStep if recordable(model, optimizer, device) else Step
    part = recipe.batch_size if recipe.accumulate > 1 else None
    step = kind(model, loss_of, optimizer, amp=amp, gradient_clip=recipe.gradient_clip, part=part)
    if isinstance(step, GraphStep):
        step.record(*example())
        synchronize(device)
    return step


def warm_up(
    model: nn.Module, loss_of: Loss, amp: torch.autocast, *, device: torch.device, example: Callable[[], Batch]
) -> None:
    """One step without a trace, so that kernels that are built at their first use are not timed as training."""
    with unchanged(model, device):
        images, targets = example()
        with amp:
            loss = loss_of(images, targets)
        loss.backward()  # type: ignore[no-untyped-call]
    synchronize(device)
