"""A model that trains itself, in a trial or in a check."""

from __future__ import annotations

from typing import Any

from torch import nn

from mnistarena.data.arrays import read_groups
from mnistarena.engine.batches import Batches
from mnistarena.engine.checkpoint import Checkpoints
from mnistarena.engine.random_state import seed_everything
from mnistarena.engine.seeds import derive
from mnistarena.plugin.messages import Measurements
from mnistarena.trial.context import TrialContext
from mnistarena.trial.fit_host import Host
from mnistarena.trial.own_training import OwnTraining


def train_itself(
    context: TrialContext, model: nn.Module, *, split: Batches, held: Batches, checkpoints: Checkpoints
) -> Measurements:
    """Let the model train itself in place; `held` is the validation split."""
    host = Host(
        context.chain,
        context.recipe,
        device=context.device,
        seed=context.seed,
        output=context.output or "logits",
        uses=context.definition.uses,
        registry=context.registry,
        groups=read_groups(context.job.data),
        folder=context.folder,
        send=context.send,
        note=context.note,
    )
    return fit_in(host, model, split=split, held=held, checkpoints=checkpoints)


def fit_in(host: Host, model: nn.Module, *, split: Batches, held: Batches, checkpoints: Checkpoints) -> Measurements:
    """Let the model train itself in place."""
    seed_everything(derive(host.seed, "fit"))
    host.write_history([])
    training = OwnTraining(host, model, split=split, held=held, checkpoints=checkpoints)
    model.train()
    fit: Any = model.fit
    fit(training)
    if not training.resumed:
        checkpoints.found = None
    if host.uses is None:
        read = ", ".join(sorted(host.read)) or "nothing"
        host.note(f"it trains itself, and read of [training]: {read}; say so by uses= in its ModelDef")
    return training.outcome()
