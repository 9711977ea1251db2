"""A finished trial's model as it answers in the training of another one."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from mnistarena.engine import prediction
from mnistarena.engine.random_state import streams_kept
from mnistarena.engine.step import autocast
from mnistarena.errors import TrialError, first_line
from mnistarena.plugin.registry import installed
from mnistarena.pretrained.teacher import TeacherParams, misfit, teacher_model
from mnistarena.pretrained.weights import file_of
from mnistarena.store.description import read_description
from mnistarena.store.trial_folder import DESCRIPTION
from mnistarena.trial.fit_host import Host
from mnistarena.trial.trained import Trained, load_bytes, untrained


class TrainedTeacher:
    """`mnistarena.plugin.fit.Teacher`, of a trained model.

    Were it a module, a student that keeps it as an attribute would train, store and count it.
    """

    def __init__(self, trained: Trained) -> None:
        self.model: nn.Module = trained.model.requires_grad_(False)
        self._trained = trained

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits float32 `(N, n_classes)` of images `(N, C, H, W)` after their transforms."""
        trained = self._trained
        images = images.contiguous(memory_format=trained.chain.memory_format)
        with autocast(trained.recipe, trained.device):
            found = prediction.loss_input(self.model(images), trained.output or "logits")
        return found.float()


def load_teacher(params: TeacherParams, host: Host) -> TrainedTeacher:
    """The teacher that a model's prepared parameters name; the random streams stay as they are.

    Raises `ArenaError` where it is missing, is not what the plan says, or does not fit the images.
    """
    if not params.teacher:
        raise TrialError('training.teacher has no teacher: give the model teacher = "RUN/LABEL" in its params')
    if len(params.teacher_digests) != 3:
        raise TrialError(
            f'the plan does not know the teacher "{params.teacher}": say prepare=mnistarena.pretrained.prepare_teacher '
            "in the ModelDef"
        )
    stored, about, code = params.teacher_digests
    path, whose = Path(params.teacher), "the teacher"
    weights = file_of(whose, str(path), {}, stored).read_bytes()
    described = read_description(file_of(whose, str(path.with_name(DESCRIPTION)), {}, about))
    registry = host.registry or installed()
    if (plugin := teacher_model(described, registry).plugin).digest != code:
        raise TrialError(f"the code of {plugin.key}, which builds the teacher, has changed since the plan was made")
    identity = described.identity
    with streams_kept(host.device):
        try:
            trained = untrained(
                identity,
                params=json.dumps(identity["model"]["params"]),
                task=described.task,
                device=host.device,
                registry=registry,
            )
            load_bytes(trained, weights)
        except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as problem:
            raise TrialError(
                f"the teacher cannot be built by what is installed: {type(problem).__name__}: {first_line(problem)}"
            ) from problem
    if unlike := misfit(described, trained.chain, host.chain):
        raise TrialError(unlike)
    return TrainedTeacher(trained)
