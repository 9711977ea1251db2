"""`timm`: any architecture of timm by its name, on images as small as digits."""

from __future__ import annotations

import difflib
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mnistarena import ArenaError, ModelDef, PrepareContext, Task, hookimpl
from mnistarena.pretrained import NONE, StartParams, prepare

if TYPE_CHECKING:
    from torch import nn

WHERE_TO_LOOK = "; python -c 'import timm; print(*timm.list_models())' lists them"

LEAST_SIZE = 8
"""Pixels a side at least: most architectures halve an image at least three times."""

LEAST_PATCHES = 7
"""Patches a side at least, where their size is chosen here: as many as 32-pixel patches give for 224 pixels."""


class TimmParams(StartParams):
    """Parameters of `timm`."""

    architecture: str = Field(
        "resnet18",
        min_length=1,
        description='its name in timm, such as "resnet18" or "vit_tiny_patch16_224"; with a tag, '
        '"resnet18.a1_in1k", it says which published weights are meant',
    )
    stem: Literal["small", "original"] = Field(
        "small",
        description="small: the first convolution moves a pixel at a time and the first max-pooling is left out, as in "
        "networks for CIFAR; original: as published, for large images or little time",
    )
    patch_size: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="pixels a side of a patch, for architectures that cut the image into patches; by default what "
        "cuts each side into at least 7, where the published size does not fit",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="before the last layer")
    weights: list[Annotated[str, Field(min_length=1)]] = Field(
        [NONE],
        min_length=1,
        description='where to start, the first that can be had: "pretrained" (the weights that timm publishes), '
        '"run:RUN/LABEL" (what another run trained), the path of a state dict, "none"',
    )
    timm_version: str | None = Field(
        None, description="the version of timm it must be; filled in when the plan is made, and part of the identity"
    )

    @property
    def bare_name(self) -> str:
        """The architecture without the tag of its weights."""
        return self.architecture.partition(".")[0]


@cache
def architectures() -> frozenset[str]:
    """The names of timm's architectures, read from its source: importing it would load torch."""
    found = importlib.util.find_spec("timm")
    names: set[str] = set()
    for folder in (found.submodule_search_locations or ()) if found else ():
        for file in (Path(folder) / "models").glob("*.py"):
            text = file.read_text(encoding="utf-8", errors="replace")
            names.update(re.findall(r"^@register_model\n(?:@.*\n)*def (\w+)\(", text, re.MULTILINE))
    return frozenset(names)


def patch_sizes(params: TimmParams, height: int, width: int) -> list[int | None]:
    """The patches' sizes to try on images of these sides, the best first; None: as published."""
    if params.patch_size is not None:
        return [params.patch_size]
    fine = [n for n in (16, 8, 4, 2, 1) if height % n == width % n == 0 and min(height, width) // n >= LEAST_PATCHES]
    by_name = re.search(r"_(?:patch|p)\d+", params.bare_name)
    # A name such as "…patch16_224" gives the patch for 224 pixels; other sizes are changed only where they do not fit.
    return [*fine, None] if by_name else [None, *(n for n in fine if n <= 4)]


def check(params: TimmParams, task: Task) -> str | None:
    """A sentence where timm does not have the architecture, or the images are too small for any of them."""
    known = architectures()
    if known and params.bare_name not in known:  # without any, timm keeps them elsewhere: `prepare` asks it
        similar = difflib.get_close_matches(params.bare_name, known, n=1, cutoff=0.5)
        hint = f'; did you mean "{similar[0]}"?' if similar else WHERE_TO_LOOK
        return f'timm {version()} has no architecture "{params.bare_name}"{hint}'
    _, height, width = task.image_shape
    if min(height, width) < LEAST_SIZE:
        return (
            f"it needs images of at least {LEAST_SIZE} × {LEAST_SIZE}, these are {height} × {width}; "
            f'put {{ name = "resize", size = {max(32, LEAST_SIZE)} }} into its transforms'
        )
    return None


def version() -> str:
    """The version of timm that is installed."""
    return importlib.metadata.version("timm")


def prepare_timm(params: TimmParams, context: PrepareContext) -> TimmParams:
    """The params with the weights that are used and timm's version."""
    import timm

    if not timm.is_model(params.bare_name):
        raise ArenaError(f'timm {version()} has no architecture "{params.bare_name}"{WHERE_TO_LOOK}')
    if params.timm_version not in (None, version()):
        raise ArenaError(f"timm_version asks for {params.timm_version}; {version()} is installed")
    if params.weights != [NONE] or params.freeze != "none":
        from mnistarena_timm.network import published

        params = prepare(f"timm {params.architecture}", params, context, published(params.architecture))
    return params.model_copy(update={"timm_version": version()})


def build(params: TimmParams, task: Task) -> nn.Module:
    """The network: images `(N, C, H, W)` to logits `(N, n_classes)`."""
    from mnistarena_timm.network import network

    return network(params, task)


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """`timm`."""
    return [
        ModelDef(
            "timm",
            "any architecture of timm by its name, for small images and any number of channels",
            params=TimmParams,
            build=build,
            check=check,
            prepare=prepare_timm,
            # On a CPU, convolutions gain and torch's attention takes twice as long: no word holds for all of timm.
            bf16=lambda params, device: device != "cpu",
        )
    ]
