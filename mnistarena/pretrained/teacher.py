"""A finished trial's model as the teacher of another one: found and described before the plan is fixed.

Torch is imported inside the functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field

from mnistarena.errors import ArenaError, PluginError
from mnistarena.plugin.components import ModelDef, Params, PrepareContext
from mnistarena.plugin.messages import ComponentIdentity
from mnistarena.plugin.registry import Component, Registry, installed
from mnistarena.plugin.settings import Settings
from mnistarena.pretrained.past_runs import Untrained, trained_trials
from mnistarena.store.description import ModelDescription, read_description
from mnistarena.store.results import StoredTrial
from mnistarena.store.trial_folder import DESCRIPTION, MODEL
from mnistarena.text import few, series, visible

if TYPE_CHECKING:
    from mnistarena.engine.chain import Chain


class TeacherParams(Params):
    """Parameters of a model that learns from the answers of a trained one; a model's own come beside them."""

    teacher: str = Field(
        "",
        description='the trained model to learn from: "RUN/LABEL", or "RUN/LABEL/sN" for its seed N; "" is none',
    )
    teacher_digests: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        [],
        max_length=3,
        description="SHA-256 that the teacher's weights, their description and its model's code must have; filled in "
        "when the plan is made",
    )

    def identity(self) -> Settings:
        """The digests say which teacher; where its files lie does not matter."""
        return {key: value for key, value in super().identity().items() if key != "teacher"}


AnyTeacher = TypeVar("AnyTeacher", bound=TeacherParams)


def prepare_teacher(params: AnyTeacher, context: PrepareContext) -> AnyTeacher:
    """A model's params with its teacher found: the file of its weights, and the digests. To be a ModelDef's `prepare`.

    Raises `ArenaError` where the teacher cannot be had, or cannot answer for the images that this model gets.
    """
    if not params.teacher:
        return params
    named = f'teacher = "{params.teacher}"'
    try:
        trial = _chosen(params.teacher, context)
        paths = [trial.folder.model_file(trial.files, name).resolve() for name in (MODEL, DESCRIPTION)]
    except Untrained as reason:
        raise ArenaError(f"{named} could not be had: {reason}") from None
    registry = context.registry or installed()
    described = read_description(paths[1])
    plugin = teacher_model(described, registry).plugin
    if context.task is not None:
        from mnistarena.engine.chain import build_chain

        theirs = build_chain(described.identity["transforms"], described.task, registry)
        if problem := misfit(described, theirs, build_chain(context.transforms, context.task, registry)):
            raise ArenaError(f"{named}: {problem}")
    found = [trial.files[MODEL], trial.files[DESCRIPTION], plugin.digest]
    if params.teacher_digests not in ([], found):
        raise ArenaError(f"{named} has the digests {', '.join(found)}, but teacher_digests says otherwise")
    context.note(f"{named} is {trial.name} (SHA-256 {found[0][:12]}…)")
    if described.identity["sources"] != {plugin.key: plugin.digest}:
        context.note(f"{named}: the code of {plugin.key} has changed since it was trained: its answers may differ")
    context.files.update(zip(found, paths, strict=False))
    return params.model_copy(update={"teacher": str(paths[0]), "teacher_digests": found})


def _chosen(name: str, context: PrepareContext) -> StoredTrial:
    """The first trial of that name; of a run on several datasets, the first on this model's dataset and split."""
    trials = trained_trials(name, context.dataset)
    datasets = list(dict.fromkeys(trial.dataset for trial in trials))
    if len(datasets) > 1 and context.dataset is not None:
        trials = [trial for trial in trials if _dataset(trial) == context.dataset]
        if not trials:
            raise ArenaError(
                f'teacher = "{name}" was trained on {series(datasets)}, none of which is the dataset of this model '
                "with the same split"
            )
    if DESCRIPTION not in trials[0].files:
        raise Untrained(
            "its weights were stored by an earlier version, without a description; train it again by arena run SPEC "
            f"--only {trials[0].label} --force"
        )
    return trials[0]


def _dataset(trial: StoredTrial) -> object:
    record = trial.record()
    return record["identity"]["dataset"] if record else None


def teacher_model(described: ModelDescription, registry: Registry) -> Component:
    """The plugin's model that a teacher is built by; `ArenaError` where it is missing or answers with labels alone."""
    name = described.identity["model"]["name"]
    try:
        found = registry.get("model", name)
    except PluginError as problem:
        raise ArenaError(
            f"the teacher is built by a plugin that this run does not have: {problem}; install it, or name its file in "
            "the spec's plugins"
        ) from None
    definition: ModelDef = found.definition
    if definition.output == "labels":
        raise ArenaError(f"the teacher {name} answers with labels alone: there is nothing in them to learn but those")
    return found


def misfit(described: ModelDescription, theirs: Chain, ours: Chain) -> str | None:
    """Why a teacher cannot answer for another model's images; None where it can.

    The two chains of transforms, without what is random, must give the same of the same images.
    """
    import torch

    def evaluated(chain: Chain) -> torch.Tensor:
        generator = torch.Generator()
        return chain.apply_tail(chain.apply_head(images.clone(), generator), generator, training=False)

    names, shape = theirs.given.class_names, theirs.given.image_shape
    if names != ours.given.class_names:
        here = few([visible(name) for name in ours.given.class_names])
        return f"the teacher knows the classes {few([visible(name) for name in names])}, the dataset has {here}"
    if shape != ours.given.image_shape:
        sizes = [" × ".join(map(str, one)) for one in (shape, ours.given.image_shape)]
        return f"the teacher was trained on images of {sizes[0]}, the dataset has images of {sizes[1]}"
    images = torch.randint(0, 256, (4, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    if evaluated(theirs).equal(evaluated(ours)):
        return None
    problem = (
        f"the teacher was trained with the transforms {_named(described.identity['transforms'])}, and this model's "
        "transforms make other images: give it the same, apart from random ones"
    )
    if (theirs.given.mean, theirs.given.std) != (ours.given.mean, ours.given.std):
        problem += (
            ', and the same training images, since "normalize" takes their mean and deviation unless it has '
            'other "statistics"'
        )
    return problem


def _named(transforms: list[ComponentIdentity]) -> str:
    """A chain of transforms, as a sentence names it."""

    def one(entry: ComponentIdentity) -> str:
        settings = ", ".join(f"{key} = {value}" for key, value in entry["params"].items())
        return entry["name"] + (f" ({settings})" if settings else "")

    return series([one(entry) for entry in transforms]) or "none"
