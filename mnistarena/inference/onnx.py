"""A trained torch model as an ONNX file: from images in [0, 1] to what it says of them, compared with the original."""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnistarena.engine import prediction
from mnistarena.errors import TrialError, first_line
from mnistarena.inference.restore import Restored

INPUT = "images"

NEEDED = ("onnx", "onnxscript", "onnxruntime")

TOLERANCE = 1e-4
"""The largest difference of a probability or score between the file and the model that still counts as rounding."""

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
        self.model = restored.model
        self.steps = [apply for apply, is_random in restored.chain.steps if not is_random]
        self.generator = torch.Generator(restored.device)
        self.output = restored.output or "logits"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities or scores, float32 `(N, n_classes)`, or classes int64 `(N,)`."""
        for apply in self.steps:
            images = apply(images, self.generator)
        found = cast(torch.Tensor, prediction.main_output(self.model(images)))
        if self.output == "labels":
            return found.long()
        if self.output == "logits":
            return found.float().softmax(1)
        return found.float().exp() if self.output == "log_probabilities" else found.float()


def output_name(restored: Restored) -> str:
    """The name of the file's output: "probabilities", "scores" or "labels"."""
    return restored.output if restored.output in ("scores", "labels") else "probabilities"


def export(restored: Restored) -> bytes:
    """The ONNX file's content, with any number of images in a batch; its metadata say what it is.

    Raises `TrialError` where the exporter does not support the model.
    """
    import onnx

    if not isinstance(restored.model, nn.Module):
        raise TrialError(
            f"{restored.trial.name} is a scikit-learn classifier, not a torch module: it cannot become an ONNX file"
        )
    example = torch.zeros(2, *restored.task.image_shape)
    try:
        model = _exported(WholeModel(restored).eval(), example, output_name(restored))
        trial = restored.trial
        about = {
            "class_names": json.dumps(restored.task.class_names, ensure_ascii=False),
            "label": trial.label,
            "dataset": trial.dataset,
            "seed": str(trial.seed),
            "trial": trial.id,
        }
        onnx.helper.set_model_props(model, about)
        return bytes(model.SerializeToString())
    except Exception as problem:
        raise TrialError(
            f"{restored.trial.name} cannot become an ONNX file: torch's exporter says: {_cause(problem)}"
        ) from problem


def _exported(whole: WholeModel, example: torch.Tensor, name: str) -> Any:
    """An onnx.ModelProto; the exporter's own messages are suppressed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            traced = _traced(whole, example)
            program = torch.onnx.export(
                traced, (example,), dynamo=True, input_names=[INPUT], output_names=[name], verbose=False
            )
    finally:
        logging.disable(before)
    assert program is not None
    return program.model_proto


def _traced(whole: WholeModel, example: torch.Tensor) -> torch.export.ExportedProgram:
    """The model as a graph that takes any number of images; raises what the exporter says first."""
    shapes = ({0: torch.export.Dim("n")},)
    try:
        return torch.export.export(whole, (example,), dynamic_shapes=shapes, strict=False)
    except Exception as first:
        # Only the strict way, through bytecode, leaves the result of len(images) open.
        with suppress(Exception):
            return torch.export.export(whole, (example,), dynamic_shapes=shapes, strict=True)
        raise first


def difference(data: bytes, restored: Restored, images: NDArray[np.uint8]) -> float:
    """The largest difference of a probability or score between the file and the model, on images uint8 `(n, C, H, W)`.

    One image is predicted alone as well. Raises `TrialError` where the file cannot be run on them.
    """
    import onnxruntime

    # In float32, like the file: a model trained in bfloat16 rounds more coarsely.
    exact = replace(restored, recipe=restored.recipe.model_copy(update={"precision": "float32"}))
    wanted, pixels = exact.predict(images).values, images.astype(np.float32) / 255
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, too
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        found = session.run([output_name(restored)], {INPUT: pixels})[0]
        alone = session.run([output_name(restored)], {INPUT: pixels[:1]})[0]
    except Exception as problem:
        raise TrialError(f"onnxruntime cannot run {restored.trial.name} as exported: {_cause(problem)}") from problem
    if found.shape != wanted.shape:
        raise TrialError(f"{restored.trial.name} as exported returned {found.shape}; wanted {wanted.shape}")
    return max(float(np.abs(found - wanted).max()), float(np.abs(alone - wanted[:1]).max()))


def _cause(problem: BaseException) -> str:
    """The first line of what is behind an error, without the exporter's own preamble."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return first_line(problem)
