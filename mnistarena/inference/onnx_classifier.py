"""A fitted scikit-learn classifier as an ONNX graph, from images to what it says of them.

Two graphs are joined: the transforms by torch's exporter, and the classifier by skl2onnx.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from mnistarena.engine.prediction import answering_method
from mnistarena.errors import TrialError
from mnistarena.inference.onnx_graph import Preprocessing, cause, exported, silenced
from mnistarena.trial.fitting import Relabelled
from mnistarena.trial.trained import Trained


def classifier_graph(trained: Trained, *, takes: str, gives: str) -> Any:
    """An onnx.ModelProto from float images `(N, C, H, W)` in [0, 1], before any transform, to the classifier's answer.

    `takes` and `gives` name its input and its output. Raises `TrialError` where an exporter does not support it.
    """
    from onnx import compose

    preprocessing = nn.Sequential(Preprocessing(trained.chain, trained.device), nn.Flatten())
    before = exported(preprocessing, torch.zeros(2, *trained.task.image_shape), takes=takes, gives="features")
    before = compose.add_prefix(before, "before.", rename_inputs=False)
    opset = next(one.version for one in before.opset_import if not one.domain)
    method = answering_method(trained.model, trained.output)
    classifier = compose.add_prefix(_converted(trained, method, opset), "classifier.")
    _answer(classifier.graph, trained, method, gives)
    classifier.ir_version = before.ir_version
    joint = (before.graph.output[0].name, classifier.graph.input[0].name)
    return compose.merge_models(before, classifier, io_map=[joint])


def _converted(trained: Trained, method: str, opset: int) -> Any:
    """The classifier alone, from features float32 `(N, C·H·W)` to labels, or to the columns of its `method`."""
    from onnx import helper
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.pipeline import Pipeline

    classifier = trained.model.classifier if isinstance(trained.model, Relabelled) else trained.model
    last = classifier
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    try:
        with silenced():
            model = convert_sklearn(
                classifier,
                "classifier",
                initial_types=[("features", FloatTensorType([None, math.prod(trained.chain.task.image_shape)]))],
                target_opset=opset,
                options={id(last): {"raw_scores": True}} if method == "decision_function" else None,
            )
    except Exception as problem:
        raise TrialError(
            f"skl2onnx cannot convert {type(classifier).__name__}: {cause(problem).rstrip('.')}; register a converter "
            "of its own (skl2onnx.update_registered_converter) in the model's plugin, or train a classifier that "
            "skl2onnx supports"
        ) from problem
    _use_distances(model.graph)
    # It says the lowest versions that its nodes need, and some of its converters say one twice.
    versions = {one.domain: one.version for one in model.opset_import} | {"": opset}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*one) for one in versions.items())
    return model


def _use_distances(graph: Any) -> None:
    """Undo skl2onnx's multiplication of neighbours' distances by −1, after which all of them count the same.

    Its issue 1214, open in version 1.20; without weights by distance there is no such node.
    """
    from onnx import numpy_helper

    distances = {node.output[0] for node in graph.node if node.op_type == "TopK"}
    negative = {one.name for one in graph.initializer if (numpy_helper.to_array(one) == -1).all()}
    for node in graph.node:
        if node.op_type == "Mul" and node.input[0] in distances and node.input[1] in negative:
            node.op_type = "Identity"
            del node.input[1]
    # onnxruntime warns of a constant that no node takes.
    used = {name for node in graph.node for name in node.input}
    for one in [one for one in graph.initializer if one.name in negative - used]:
        graph.initializer.remove(one)


def _answer(graph: Any, trained: Trained, method: str, gives: str) -> None:
    """Append what `classifier_outputs` does with the classifier's answer, as the graph's only output.

    The graph's outputs are the labels and then the columns, the latter perhaps as "ZipMap", a list of dicts.
    """
    from onnx import TensorProto, helper, numpy_helper

    labels, n_classes = method == "predict", trained.task.n_classes
    found = graph.output[0 if labels else -1].name
    for node in [node for node in graph.node if node.op_type == "ZipMap"]:
        found = node.input[0] if node.output[0] == found else found
        graph.node.remove(node)
    if labels:
        meant = trained.model.classes_ if isinstance(trained.model, Relabelled) else np.arange(n_classes)
        constants = {"table": np.asarray(meant, np.int64)}
        nodes = [helper.make_node("Gather", ["table", found], [gives])]
        output = helper.make_tensor_value_info(gives, TensorProto.INT64, [None])
    else:
        known = [int(c) for c in trained.model.classes_]
        # A class that the training split did not hold is the column after the last one.
        columns = [known.index(c) if c in known else len(known) for c in range(n_classes)]
        logits = trained.output == "logits"
        missing = np.finfo(np.float32).min if method == "decision_function" and not logits else 0
        constants = {
            "table": np.array(columns, np.int64),
            "one more": np.array([0, 0, 0, 1], np.int64),
            "missing": np.array(missing, np.float32),
        }
        nodes = [
            helper.make_node("Cast", [found], ["columns"], to=TensorProto.FLOAT),
            helper.make_node("Softmax" if logits else "Identity", ["columns"], ["answers"]),
            helper.make_node("Pad", ["answers", "one more", "missing"], ["padded"]),
            helper.make_node("Gather", ["padded", "table"], [gives], axis=1),
        ]
        output = helper.make_tensor_value_info(gives, TensorProto.FLOAT, [None, n_classes])
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    del graph.output[:]
    graph.output.append(output)
