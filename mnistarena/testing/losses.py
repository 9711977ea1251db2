"""The checks of a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mnistarena.plugin.training import LossDef
from mnistarena.testing.check import Check, Nonconformity, NotApplicable
from mnistarena.testing.component import ComponentUnderTest
from mnistarena.testing.tensors import random_batch, refuse_global_draws, soft, task_of

if TYPE_CHECKING:
    import torch

CLASSES = (2, 10)


class LossUnderTest(ComponentUnderTest):
    """A loss, tried on random logits of two and of ten classes."""

    kind = "loss"
    definition: LossDef

    def checks(self) -> list[Check]:
        """The checks of a loss."""
        return [
            *super().checks(),
            Check("value", "a finite scalar for logits and labels", function=self.check_value),
            Check("gradient", "its gradient reaches the logits, and is finite", function=self.check_gradient),
            Check("direction", "logits that are right have a smaller loss", function=self.check_direction),
            Check("mean", "it is the mean over the images", function=self.check_mean),
            Check("soft-targets", "soft targets are taken where it says so", function=self.check_soft),
            Check("class-weights", "class weights are taken where it says so", function=self.check_weights),
            Check("repeatable", "it draws nothing at random", function=self.check_repeatable),
            Check("inputs-untouched", "it does not change logits or targets", function=self.check_untouched),
        ]

    def built(self, n_classes: int) -> Callable[..., Any]:
        """The loss for so many classes."""
        return self.definition.build(self.params, task_of(n_classes))

    def data(self, n_classes: int, factor: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Random logits `(N, n_classes)` that want a gradient, and labels `(N,)`."""
        import torch

        _, labels = random_batch((1, 1, 1), n_classes, 24)
        outputs = factor * torch.randn(24, n_classes, generator=torch.Generator().manual_seed(3))
        return outputs.requires_grad_(), labels

    def check_value(self) -> None:
        """The loss is one finite number, for small logits and for large ones."""
        import torch

        for n_classes in CLASSES:
            for factor in (0.0, 1.0, 100.0):
                outputs, labels = self.data(n_classes, factor)
                found: object = self.built(n_classes)(outputs, labels)
                if not isinstance(found, torch.Tensor) or found.dim() != 0:
                    got = f"a tensor {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
                    raise Nonconformity(f"it returned {got}; return a scalar tensor, the mean over the images: .mean()")
                if not bool(found.isfinite()):
                    raise Nonconformity(
                        f"it is {found.item()} for logits of the size {factor:g} and {n_classes} classes; compute with "
                        "log_softmax instead of the logarithm of a softmax, or clamp what is divided by"
                    )

    def check_gradient(self) -> None:
        """The gradient of the logits is finite and not zero everywhere."""
        for n_classes in CLASSES:
            outputs, labels = self.data(n_classes)
            found = self.built(n_classes)(outputs, labels)
            if not found.requires_grad:
                raise Nonconformity(
                    "no gradient reaches the logits; use them without detach, argmax or numpy, which have none"
                )
            found.backward()
            gradient = outputs.grad
            if gradient is None or not bool(gradient.isfinite().all()) or not bool(gradient.any()):
                state = "missing" if gradient is None else "zero" if bool(gradient.isfinite().all()) else "not finite"
                raise Nonconformity(f"the gradient of the logits is {state}; check what is rounded, clamped or divided")

    def check_direction(self) -> None:
        """Logits that favour the true class have a smaller loss than those that favour another."""
        from torch.nn import functional

        _, labels = self.data(10)
        right = 3.0 * functional.one_hot(labels, 10).float()
        good, bad = (self.built(10)(outputs, labels).item() for outputs in (right, right.roll(1, 1)))
        if not good < bad:
            raise Nonconformity(
                f"logits that favour the true class have the loss {good:.4g}, others {bad:.4g}; has it the wrong sign?"
            )

    def check_mean(self) -> None:
        """Twice the same images have the loss of them once."""
        outputs, labels = self.data(10)
        once, twice = (self.built(10)(outputs.repeat(k, 1), labels.repeat(k)).item() for k in (1, 2))
        if abs(once - twice) > 1e-4 * max(1.0, abs(once)):
            raise Nonconformity(
                f"the loss of a batch is {once:.4g}, and of the same images twice {twice:.4g}; take the mean over the "
                "images, so that it does not depend on the batch's size"
            )

    def check_soft(self) -> None:
        """With soft_targets=True, labels and the same as float rows have the same loss, and mixed ones a finite one."""
        from torch.nn import functional

        outputs, labels = self.data(10)
        of = self.built(10)
        if not self.definition.soft_targets:
            raise NotApplicable("it does not say soft_targets=True: mixup and its like cannot be used with it")
        hard, rows = of(outputs, labels).item(), of(outputs, functional.one_hot(labels, 10).float()).item()
        if abs(hard - rows) > 1e-4 * max(1.0, abs(hard)):
            raise Nonconformity(
                f"labels have the loss {hard:.6g}, and the same as rows of 0 and 1 {rows:.6g}; let targets of two "
                "dimensions be probabilities of classes, or leave out soft_targets=True"
            )
        if not bool(of(outputs, soft(labels, 10)).isfinite()):
            raise Nonconformity("it is not finite for mixed targets; a class's target may be 0")

    def check_weights(self) -> None:
        """With class_weights=True, equal weights of 1 change nothing, and a class of weight 0 does not count."""
        import torch

        if not self.definition.class_weights:
            raise NotApplicable("it does not say class_weights=True")
        outputs, labels = self.data(10)
        of = self.built(10)
        plain, ones = of(outputs, labels).item(), of(outputs, labels, weights=torch.ones(10)).item()
        if abs(plain - ones) > 1e-4 * max(1.0, abs(plain)):
            raise Nonconformity(f"weights of 1 change the loss from {plain:.6g} to {ones:.6g}")
        weights = torch.ones(10)
        weights[labels[0]] = 0
        outputs.grad = None
        of(outputs, labels, weights=weights).backward()
        if outputs.grad is None or bool(outputs.grad[labels == labels[0]].any()):
            raise Nonconformity(
                "images of a class with the weight 0 still have a gradient; multiply by weights[targets]"
            )

    def check_repeatable(self) -> None:
        """The loss draws nothing from the process's random streams, and is the same twice."""
        outputs, labels = self.data(10)
        of = self.built(10)
        refuse_global_draws(lambda: of(outputs, labels), "a loss is a function of logits and targets alone")
        first, second = (of(outputs, labels).item() for _ in range(2))
        if first != second:
            raise Nonconformity(f"the same logits have the loss {first} and then {second}; keep no state between calls")

    def check_untouched(self) -> None:
        """Logits and targets are as they were."""
        outputs, labels = self.data(10)
        given = outputs.detach().clone()
        self.built(10)(given, labels)
        if not given.equal(outputs.detach()) or not labels.equal(self.data(10)[1]):
            raise Nonconformity("it changed the logits or the targets; no operation in place, such as sub_()")
