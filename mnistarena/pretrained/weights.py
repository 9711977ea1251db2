"""Trained weights for model plugins: which can be had, which are used, and that they fit.

Torch is imported inside the functions only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field

from mnistarena.data.download import downloading
from mnistarena.errors import ArenaError, first_line
from mnistarena.plugin.components import Params, PrepareContext
from mnistarena.plugin.settings import Settings
from mnistarena.pretrained.past_runs import Untrained, trained_model
from mnistarena.store.files import sha256

if TYPE_CHECKING:
    import torch
    from torch import nn


IMAGENET, NONE, RUN = "imagenet", "none", "run:"


Published = Mapping[str, Callable[[bool], Path]]
"""Published weights, by the name a spec gives them: each a function that returns their file.

Its argument says whether they may be downloaded; it raises `Unavailable` where they cannot be had.
"""


class Unavailable(Exception):
    """Weights that cannot be had; the next preference is tried."""


def _not_published(download: bool) -> Path:
    raise Unavailable("nobody has trained this architecture on ImageNet")


def resolve(
    model: str, preferences: Sequence[str], published: Published, digest: str | None, context: PrepareContext
) -> tuple[str, str | None]:
    """The first of `preferences` that can be had, and its file's SHA-256 (None for "none").

    A preference is a name in `published` ("imagenet": from torchvision's cache or by its download), "none"
    (random initialisation), "run:RUN/LABEL" (what a finished run trained, RUN as it is given to arena report), or
    the path of a state dict, relative to the spec. `digest` is what the file must have, or None. Tells the context
    which one it was.
    Raises `ArenaError` where none can be had, saying what was tried and what to write instead, and where
    a file is there but is no state dict.
    """
    tried: list[str] = []
    for preference in preferences:
        if preference == NONE:
            if digest is not None:
                raise ArenaError(
                    f"weights_digest asks for the weights {digest[:12]}…, but {'; '.join(tried) or 'the first is none'}"
                )
            before = f" because {'; '.join(tried)}" if tried else ", as the spec says"
            context.note(f'{model}: trained from scratch (weights "none"){before}')
            return NONE, None
        try:
            if preference in (IMAGENET, *published):
                name, file = preference, published.get(preference, _not_published)(context.download)
            elif preference.startswith(RUN):
                file = trained_model(preference.removeprefix(RUN), context.dataset)
                name = f"{RUN}{file}"
            else:
                file = _local(context.base_dir / preference)
                name = str(file)
        except (Unavailable, Untrained) as reason:
            tried.append(f'"{preference}" could not be had: {reason}')
            continue
        found = _digest(file)
        if digest is not None and found != digest:
            raise ArenaError(f"{file} has SHA-256 {found}, but weights_digest says {digest}")
        read_state(file)  # a damaged file stops the run here, instead of failing each of its trials
        context.note(f'{model}: starts from the weights "{preference}" (SHA-256 {found[:12]}…)')
        context.files[found] = file
        return name, found
    raise ArenaError(
        f"none of its weights can be had: {'; '.join(tried) or 'the list is empty'}. "
        f'Write weights = ["{preferences[0] if preferences else IMAGENET}", "none"] to train from scratch where '
        "they cannot be had, or the path of a state dict"
    )


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return sha256(stream)


def _local(path: Path) -> Path:
    if not path.is_file():
        raise Unavailable(f"there is no file {path}")
    return path.resolve()


def imagenet(enum: str) -> Published:
    """torchvision's weights `enum`, such as "VGG16_Weights.IMAGENET1K_V1"."""
    return {IMAGENET: partial(imagenet_file, enum)}


def imagenet_file(enum: str, download: bool) -> Path:
    """The file of torchvision's weights in torch.hub's cache, fetched by torchvision where it is missing."""
    import torch
    import torchvision

    family, _, member = enum.partition(".")
    weights = getattr(getattr(torchvision.models, family), member)
    file = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    if not file.is_file():
        if not download:
            raise Unavailable(f"{file} is not there, and nothing is to be downloaded")
        try:
            with downloading():
                weights.get_state_dict(progress=False, check_hash=True)
        except Exception as problem:
            raise Unavailable(
                f"{file.name} is not in torch.hub's cache, and its download failed ({problem})"
            ) from problem
    return file


brought: dict[str, Path] = {}
"""Where this process finds a plan's files, by SHA-256: on another machine their paths differ from the plan's."""


def file_of(model: str, weights: str, published: Published, digest: str | None) -> Path:
    """The file that `resolve` named; raises `ArenaError` where it is missing or has changed."""
    try:
        if digest is not None and digest in brought:
            file = _local(brought[digest])
        else:
            file = published[weights](False) if weights in published else _local(Path(weights.removeprefix(RUN)))
    except Unavailable as reason:
        raise ArenaError(f"{model}: its weights are missing since the plan was made: {reason}") from None
    found = _digest(file)
    if digest is not None and found != digest:
        raise ArenaError(f"{model}: {file} has changed: SHA-256 {found}, the plan says {digest}")
    return file


def load_state(model: str, weights: str, published: Published, digest: str | None) -> dict[str, torch.Tensor]:
    """The state dict that `resolve` named; raises `ArenaError` where the file has changed or is none.

    Nothing is unpickled but tensors.
    """
    return read_state(file_of(model, weights, published, digest))


def read_state(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a state dict, from torch's own format or safetensors."""
    import torch

    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as problem:
        raise ArenaError(
            f"{file} is not a readable state dict ({type(problem).__name__}: {first_line(problem)})"
        ) from problem
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ArenaError(f"{file} holds {type(state).__name__}, not a state dict of tensors")
    return state


def apply_state(
    module: nn.Module, state: Mapping[str, Any], head: str, source: str, *, other_task: bool = False
) -> None:
    """Load `state` into `module`, whose last layer is called `head` and has the task's number of classes.

    A last layer for ImageNet's 1,000 classes, or with `other_task` of whatever classes, is left out: the module's
    fresh one stays. Any other misfit raises `ArenaError` that names the keys, and nothing is loaded.
    """
    own = module.state_dict()
    given = dict(state)
    classes = own[f"{head}.bias"].shape[0]
    head_bias = given.get(f"{head}.bias")
    if head_bias is not None and (other_task or head_bias.shape[0] == 1000 != classes):
        for part in ("weight", "bias"):
            given.pop(f"{head}.{part}", None)
            own.pop(f"{head}.{part}")
    elif head_bias is not None and head_bias.shape[0] != classes:
        raise ArenaError(f"the weights {source} are for {head_bias.shape[0]} classes; the task has {classes}")
    wrong = [f"{k} is missing" for k in own if k not in given]
    wrong += [f"{k} is unknown" for k in given if k not in own]
    wrong += [
        f"{k} has shape {tuple(given[k].shape)}, not {tuple(own[k].shape)}"
        for k in own
        if k in given and given[k].shape != own[k].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ArenaError(f"the weights {source} are of another architecture: {'; '.join(wrong[:3])}{more}")
    module.load_state_dict(given, strict=False)


class StartParams(Params):
    """Parameters of a model that may start from trained weights; a model's own come beside them."""

    weights: list[Annotated[str, Field(min_length=1)]] = Field(
        [NONE],
        min_length=1,
        description='where to start, the first that can be had: "run:RUN/LABEL" (what another run trained), the path '
        'of a state dict, "none"',
    )
    weights_digest: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 that the weights' file must have; filled in when the plan is made",
    )
    freeze: Literal["none", "backbone"] = Field(
        "none",
        description="backbone: all but the last layer stays as it starts; what it makes of each image is computed once",
    )

    def identity(self) -> Settings:
        """The digest says which weights; where their file lies does not matter."""
        return {key: value for key, value in super().identity().items() if key != "weights"}


AnyStart = TypeVar("AnyStart", bound=StartParams)


def prepare(model: str, params: AnyStart, context: PrepareContext, published: Published | None = None) -> AnyStart:
    """A model's params with the weights that are used: one, with its digest."""
    weights, digest = resolve(model, params.weights, published or {}, params.weights_digest, context)
    if params.freeze == "backbone" and weights == NONE:
        context.note(f"{model}: its frozen backbone is random: only the last layer learns anything")
    return params.model_copy(update={"weights": [weights], "weights_digest": digest})


def start(
    model: str, network: nn.Module, params: StartParams, head: str, published: Published | None = None
) -> nn.Module:
    """The network from its prepared weights, its backbone frozen where that is asked for; `head` is its last layer.

    Weights of a run are of another task, so the last layer starts afresh.
    """
    weights = params.weights[0]
    if weights != NONE:
        state = load_state(model, weights, published or {}, params.weights_digest)
        from_run = weights.startswith(RUN)
        apply_state(network, _own_names(state, head) if from_run else state, head, weights, other_task=from_run)
    return frozen(network, params, head)


def frozen(network: nn.Module, params: StartParams, head: str) -> nn.Module:
    """The network, cut before its last layer `head` where the parameters freeze what is before it."""
    if params.freeze == "backbone":
        from mnistarena.engine.backbone import FrozenBackbone

        return FrozenBackbone(network, head)
    return network


def _own_names(state: dict[str, torch.Tensor], head: str) -> dict[str, torch.Tensor]:
    """A state dict under the network's own names, whether or not it was trained as a `FrozenBackbone`."""
    if not all(name.startswith(("backbone.", "head.")) for name in state):
        return state
    return {
        name.removeprefix("backbone.")
        if name.startswith("backbone.")
        else f"{head}.{name.removeprefix('head.')}": value
        for name, value in state.items()
    }


def without_weights(params: Params) -> Params:
    """The parameters for a `build` whose state is replaced afterwards: no trained weights, whose file may have gone."""
    if not isinstance(params, StartParams):
        return params
    return params.model_copy(update={"weights": [NONE], "weights_digest": None})
