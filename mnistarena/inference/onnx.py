"""A trained model as an ONNX file: from images in [0, 1] to what it says of them, compared with the original."""

from __future__ import annotations

import importlib.util
import json
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnistarena.engine import prediction
from mnistarena.errors import TrialError
from mnistarena.inference.onnx_classifier import classifier_graph
from mnistarena.inference.onnx_graph import Preprocessing, cause, exported
from mnistarena.inference.restore import Restored
from mnistarena.plugin.predictions import Answers

INPUT = "images"

NEEDED = ("onnx", "onnxscript", "onnxruntime", "skl2onnx")

TOLERANCE = 1e-4
"""The largest difference between the file and the model that still counts as rounding; see `difference`."""

CHECKED = 256
"""Test images that the two are compared on, at most."""


def missing_packages() -> list[str]:
    """The packages that this needs and that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


class WholeModel(nn.Module):
    """Float images `(N, C, H, W)` in [0, 1] through the transforms that are not random, the model, and softmax.

    Softmax of logits only: log-probabilities become probabilities, scores and labels stay what they are.
    """

    def __init__(self, restored: Restored) -> None:
        super().__init__()
        self.before = Preprocessing(restored.chain, restored.device)
        self.model = restored.model
        self.output = restored.output or "logits"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities or scores, float32 `(N, n_classes)`, or classes int64 `(N,)`."""
        found = cast(torch.Tensor, prediction.main_output(self.model(self.before(images))))
        if self.output == "labels":
            return found.long()
        if self.output == "logits":
            return found.float().softmax(1)
        return found.float().exp() if self.output == "log_probabilities" else found.float()


def output_name(restored: Restored) -> Answers:
    """The name of the file's output: "probabilities", "scores" or "labels"."""
    model, output = restored.model, restored.output
    if not isinstance(model, nn.Module) and prediction.answering_method(model, output) == "predict":
        return "labels"
    return output if output in ("scores", "labels") else "probabilities"


def export(restored: Restored) -> bytes:
    """The ONNX file's content, with any number of images in a batch; its metadata say what it is.

    Raises `TrialError` where an exporter does not support the model.
    """
    import onnx

    trial, name = restored.trial, output_name(restored)
    about = {
        "class_names": json.dumps(restored.task.class_names, ensure_ascii=False),
        "label": trial.label,
        "dataset": trial.dataset,
        "seed": str(trial.seed),
        **({} if trial.split is None else {"split": str(trial.split)}),
        "trial": trial.id,
    }
    try:
        if isinstance(restored.model, nn.Module):
            example = torch.zeros(2, *restored.task.image_shape)
            model = exported(WholeModel(restored), example, takes=INPUT, gives=name)
        else:
            model = classifier_graph(restored, takes=INPUT, gives=name)
        onnx.helper.set_model_props(model, about)
        return bytes(model.SerializeToString())
    except Exception as problem:
        said = str(problem) if isinstance(problem, TrialError) else cause(problem)
        raise TrialError(f"{trial.name} cannot become an ONNX file: {said}") from problem


def difference(data: bytes, restored: Restored, images: NDArray[np.uint8]) -> float:
    """The largest difference between what the file and the model say of images uint8 `(n, C, H, W)`.

    Of a probability or a label it is absolute, of a score beyond ±1 relative to that score, since float32 rounds it so.
    One image is predicted alone as well. Raises `TrialError` where the file cannot be run on them.
    """
    import onnxruntime

    wanted, pixels = restored.predict(images).values, images.astype(np.float32) / 255
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, too
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        found = session.run([output_name(restored)], {INPUT: pixels})[0]
        alone = session.run([output_name(restored)], {INPUT: pixels[:1]})[0]
    except Exception as problem:
        raise TrialError(f"onnxruntime cannot run {restored.trial.name} as exported: {cause(problem)}") from problem
    if found.shape != wanted.shape:
        raise TrialError(f"{restored.trial.name} as exported returned {found.shape}; wanted {wanted.shape}")
    wanted, found = np.concatenate([wanted, wanted[:1]]), np.concatenate([found, alone])
    size = np.maximum(1, np.abs(wanted)) if output_name(restored) == "scores" else 1
    return float((np.abs(found - wanted) / size).max())
