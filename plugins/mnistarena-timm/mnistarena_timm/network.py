"""timm's architectures, made for small images. It loads torch, so only `build` and `prepare` import it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from mnistarena import Task, TrialError
from mnistarena.pretrained import NONE, Published, Unavailable, file_of, frozen, start
from mnistarena_timm import TimmParams, patch_sizes


def published(architecture: str) -> Published:
    """The weights that timm publishes of an architecture."""
    return {"pretrained": partial(published_file, architecture)}


def published_file(architecture: str, download: bool) -> Path:
    """The file of published weights in Hugging Face's cache; its client downloads it where it is missing."""
    from huggingface_hub import hf_hub_download

    config = timm.get_pretrained_cfg(architecture)
    if config is None or not config.hf_hub_id:
        raise Unavailable(f'timm publishes no weights of "{architecture}"')
    try:
        return Path(hf_hub_download(config.hf_hub_id, "model.safetensors", local_files_only=not download))
    except Exception as problem:  # each version of the client has its own exceptions
        first = str(problem).strip().partition("\n")[0]
        raise Unavailable(f"{config.hf_hub_id} is not in Hugging Face's cache and cannot be had ({first})") from problem


def network(params: TimmParams, task: Task) -> nn.Module:
    """The architecture with the task's channels and classes, from the weights that the plan names.

    Raises `TrialError` where it cannot be made for images of this shape, with the reason of the first attempt.
    """
    _, height, width = task.image_shape
    name, given, weights = params.architecture, published(params.architecture), params.weights[0]
    options: dict[str, Any] = {"in_chans": task.image_shape[0], "num_classes": task.n_classes}
    options["drop_rate"] = params.dropout
    config = timm.get_pretrained_cfg(name)
    if config is not None and config.fixed_input_size:
        options["img_size"] = (height, width)
    if weights in given:
        file = file_of(name, weights, given, params.weights_digest)
        # timm adapts them: the first layer to the channels, positions to the patches, and a new last layer.
        options |= {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file)}}
    made = first_that_fits(params, task, options)
    head = made.pretrained_cfg["classifier"]
    if not isinstance(head, str):
        if weights not in (NONE, *given) or params.freeze != "none":
            raise TrialError(f"{name} has {len(head)} last layers; it starts from published weights or none, unfrozen")
        return made
    return frozen(made, params, head) if weights in given else start(name, made, params, head)


def first_that_fits(params: TimmParams, task: Task, options: dict[str, Any]) -> Any:
    """The architecture with the first size of patches that takes the images."""
    failures = []
    for size in patch_sizes(params, *task.image_shape[1:]):
        try:
            made = timm.create_model(params.architecture, **options, **({} if size is None else {"patch_size": size}))
            if params.stem == "small":
                keep_resolution(made)
            try_on(made, task)
            return made
        except Exception as problem:  # each architecture refuses with an exception of its own
            failures.append(problem)
    first = failures[0]
    config = timm.get_pretrained_cfg(params.architecture)
    sides = f"{config.input_size[1]} × {config.input_size[2]}" if config else "larger"
    channels, height, width = task.image_shape
    raise TrialError(
        f"timm's {params.architecture} cannot be made for {channels} × {height} × {width} images "
        f"({type(first).__name__}: {str(first).strip().partition(chr(10))[0]}); it was published for {sides} images: "
        'put { name = "resize", size = 64 } or more into its transforms'
    ) from first


def keep_resolution(made: Any) -> None:
    """Change the stem for small images: stride 1 in the first convolution, and no first max-pooling with a stride.

    Convolutions that cut the image into patches (the kernel is as large as the stride) are not changed.
    """
    first = made.pretrained_cfg["first_conv"]
    strides = False
    for name in (first,) if isinstance(first, str) else first or ():
        layer = made.get_submodule(name)
        if isinstance(layer, nn.Conv2d) and max(layer.stride) > 1 and layer.kernel_size > layer.stride:
            layer.stride, strides = (1, 1), True
    if not strides:
        return
    for name, layer in made.named_modules():
        if isinstance(layer, nn.MaxPool2d) and layer.stride not in (1, (1, 1)):
            made.set_submodule(name, nn.Identity())
            return


def try_on(made: nn.Module, task: Task) -> None:
    """Raises where the network does not take the task's images or gives no logits."""
    made.eval()
    with torch.inference_mode():
        shape = tuple(made(torch.zeros(2, *task.image_shape)).shape)
    made.train()
    if shape != (2, task.n_classes):
        raise TrialError(f"it is not a classifier of images: its output is {shape}, not {(2, task.n_classes)}")
