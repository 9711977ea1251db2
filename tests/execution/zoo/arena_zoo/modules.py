"""The misbehaving networks."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn


class Wrapped(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        return self.inner(images)


class RaisesInTraining(Wrapped):
    def training_loss(self, images, labels):
        raise ArithmeticError("the loss of all hope")


class RaisesInPrediction(Wrapped):
    def forward(self, images):
        if not self.training:
            raise LookupError("no oracle today")
        return self.inner(images)


class WrongShape(Wrapped):
    def forward(self, images):
        logits = self.inner(images)
        return logits if self.training else logits[:, :3]


class NotANumber(Wrapped):
    def forward(self, images):
        logits = self.inner(images)
        return logits if self.training else logits * float("nan")


class Diverges(Wrapped):
    """Well until the fifth training step."""

    def __init__(self, inner):
        super().__init__(inner)
        self.steps = 0

    def training_loss(self, images, labels):
        self.steps += torch.is_grad_enabled()
        loss = nn.functional.cross_entropy(self.inner(images), labels)
        return loss * float("inf") if self.steps == 5 else loss


class OutOfMemory(Wrapped):
    def training_loss(self, images, labels):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


class Poison(Wrapped):
    def predict_extras(self, images):
        return {"poison": images.mean((1, 2, 3))}


class Classifier(ClassifierMixin, BaseEstimator):
    def __init__(self, manner="raise"):
        self.manner = manner

    def fit(self, images, labels):
        self.classes_ = np.unique(labels)
        return self

    def predict_proba(self, images):
        if self.manner == "raise":
            raise ConnectionError("the oracle has hung up")
        shape = (len(images), len(self.classes_))
        return np.full(shape, 7.0) if self.manner == "sevens" else np.full(shape, "seven")
