"""The checks of an optimizer."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mnistarena.plugin.training import OptimizerDef
from mnistarena.testing.check import Check, Nonconformity, NotApplicable
from mnistarena.testing.component import ComponentUnderTest
from mnistarena.testing.tensors import random_batch, task_of

if TYPE_CHECKING:
    import torch
    from torch import nn

    from mnistarena.engine.checkpoint import Checkpoints
    from mnistarena.plugin.registry import Registry
    from mnistarena.spec.schema import Training

STEPS = 24


class OptimizerUnderTest(ComponentUnderTest):
    """An optimizer, tried on a small network that learns random images by heart."""

    kind = "optimizer"
    definition: OptimizerDef

    def checks(self) -> list[Check]:
        """The checks of an optimizer."""
        return [
            *super().checks(),
            Check("builds", "build returns a torch optimizer over the groups it is given", function=self.check_builds),
            Check("learns", "a short training lowers the loss", function=self.check_learns),
            Check("rate", "a learning rate of nearly 0 leaves the weights as they are", function=self.check_rate),
            Check("closure", "it calls a closure if closure=True, and only then", function=self.check_closure),
            Check("modes", "train() and eval() come in a pair", function=self.check_modes),
            Check("resumed", "stopped and continued, it gives the same weights", function=self.check_resumed),
        ]

    def network(self) -> nn.Module:
        """A small network, the same each time."""
        import torch
        from torch import nn

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 4))

    def built(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer over a network, its weights in one group and its biases in another."""
        import torch

        weights = [p for p in network.parameters() if p.dim() > 1]
        biases = [p for p in network.parameters() if p.dim() == 1]
        found: object = self.definition.build(self.params, [{"params": weights}, {"params": biases}])
        if not isinstance(found, torch.optim.Optimizer):
            raise Nonconformity(f"build returned {type(found).__name__}; return a torch.optim.Optimizer")
        return found

    def check_builds(self) -> None:
        """`build` returns an optimizer with the two groups, each with a learning rate."""
        network = self.network()
        found = self.built(network).param_groups
        here = [id(p) for group in found for p in group["params"]]
        if sorted(here) != sorted(id(p) for p in network.parameters()):
            raise Nonconformity("its groups do not hold each parameter once; pass `groups` on as they are")
        if any("lr" not in group for group in found):
            raise Nonconformity('a group has no "lr", which the schedule moves; put it among the defaults')
        if len(found) != 2:
            raise Nonconformity(f"2 groups became {len(found)}; pass `groups` on as they are, to Optimizer.__init__")

    @cached_property
    def registry(self) -> Registry:
        """What is built in, and this optimizer."""
        from mnistarena.plugin.discovery import Plugin, discover_builtin
        from mnistarena.plugin.registry import Registry

        plugin = Plugin("under-test", "under-test", version="0")
        plugin.components["optimizer"] = [self.definition]
        others = []
        for one in discover_builtin():
            kept = [other for other in one.components["optimizer"] if other.name != self.definition.name]
            others.append(replace(one, components={**one.components, "optimizer": kept}))
        return Registry([*others, plugin])

    def recipe(self) -> Training:
        """A short training with it."""
        from mnistarena.spec.schema import Optimizer, Training

        table = Optimizer(name=self.definition.name, **self.params.model_dump(mode="json"))
        return Training(steps=STEPS, batch_size=16, optimizer=table)  # type: ignore[call-arg]

    def train(self, checkpoints: Checkpoints | None = None) -> tuple[nn.Module, list[float]]:
        """A network after a short training, and the mean losses of its rows."""
        import numpy as np
        import torch

        from mnistarena.engine.batches import Batches
        from mnistarena.engine.chain import Chain
        from mnistarena.engine.training import train
        from mnistarena.engine.watch import Watch

        images, labels = random_batch((1, 8, 8), 4, 48)
        pixels, classes = (255 * images).byte().numpy(), labels.numpy().astype(np.int64)
        split = Batches(pixels, classes, chain=Chain([], task_of(4)), device=torch.device("cpu"), keep=True)
        network, losses = self.network(), []
        watch = Watch(on_row=lambda row: losses.append(float(row["train_loss"] or 0)))
        train(network, split, self.recipe(), seed=0, registry=self.registry, watch=watch, checkpoints=checkpoints)
        return network, losses

    def check_learns(self) -> None:
        """The loss of a network on 48 random images falls within 24 steps."""
        _, losses = self.train()
        if not losses[-1] < losses[0]:
            raise Nonconformity(
                f"{STEPS} steps took the loss from {losses[0]:.4f} to {losses[-1]:.4f}; does it add what it should "
                "subtract? If its default learning rate does not fit a small network: --set lr=…"
            )

    def check_rate(self) -> None:
        """With the learning rate of every group at 1e-12, a step moves the weights by next to nothing."""
        import torch

        network = self.network()
        optimizer = self.built(network)
        for group in optimizer.param_groups:
            group["lr"] = 1e-12
        before = [p.detach().clone() for p in network.parameters()]
        self._steps(optimizer, network, 2)
        moved = max(float((p - old).detach().abs().max()) for p, old in zip(network.parameters(), before, strict=True))
        if not moved < 1e-4 or not all(torch.isfinite(p).all() for p in network.parameters()):
            raise Nonconformity(
                f'with the learning rate 1e-12 two steps moved a weight by {moved:.3g}; read group["lr"] at each step, '
                "which the schedule moves, not the parameter that build was given"
            )

    def _steps(self, optimizer: torch.optim.Optimizer, network: nn.Module, n: int) -> int:
        """Take steps as the engine does; how often the loss was computed by a closure."""
        from torch.nn import functional

        images, labels = random_batch((1, 8, 8), 4, 48)
        calls = 0

        def closure() -> torch.Tensor:
            nonlocal calls
            calls += 1
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        _switch(optimizer, "train")
        for _ in range(n):
            if self.definition.closure:
                optimizer.step(closure)  # type: ignore[arg-type]
            else:
                closure()
                calls = 0
                optimizer.step()
        _switch(optimizer, "eval")
        return calls

    def check_closure(self) -> None:
        """With closure=True, `step(closure)` calls it; without, `step()` needs none."""
        network = self.network()
        try:
            calls = self._steps(self.built(network), network, 1)
        except TypeError as problem:
            advice = "let step take the closure" if self.definition.closure else "say closure=True in its OptimizerDef"
            raise Nonconformity(f"step fails ({problem}); {advice}") from problem
        if self.definition.closure and not calls:
            raise Nonconformity("step(closure) never calls the closure, so that no gradient is computed")

    def check_modes(self) -> None:
        """An optimizer that has one of `train` and `eval` has the other."""
        optimizer = self.built(self.network())
        has = [callable(getattr(optimizer, name, None)) for name in ("train", "eval")]
        if not any(has):
            raise NotApplicable("it has neither")
        if not all(has):
            raise Nonconformity("it has one of train() and eval(), and not the other; the engine calls both")

    def check_resumed(self) -> None:
        """A training that is stopped, its state stored, and continued with a new optimizer, ends with the same bits."""
        from mnistarena.engine.checkpoint import Checkpoints, Interrupted

        wanted, _ = self.train()
        written: list[Any] = []
        asked = iter([False] * (STEPS // 3) + [True] * STEPS)
        with contextlib.suppress(Interrupted):
            self.train(Checkpoints(lambda *one: written.append(one), asked=lambda: next(asked)))
        if not written:
            raise Nonconformity(
                "its state cannot be stored: state and groups may hold tensors, numbers, booleans, texts, None, and "
                "lists and dicts of them; without that, an interrupted training starts again"
            )
        state, arrays = written[-1]
        found, _ = self.train(Checkpoints(found=(json.loads(json.dumps(state)), arrays)))
        for name, value in wanted.state_dict().items():
            if not value.equal(found.state_dict()[name]):
                difference = float((value - found.state_dict()[name]).abs().max())
                raise Nonconformity(
                    f"stopped and continued, {name} differs by up to {difference:.3g}; keep what it knows in "
                    "self.state or self.param_groups, not in attributes of its own"
                )


def _switch(optimizer: torch.optim.Optimizer, mode: str) -> None:
    switch = getattr(optimizer, mode, None)
    if callable(switch):
        switch()
