"""The methods by which a model takes part in the engine's training of it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnistarena import ModelDef, Params, TrialError
from mnistarena.engine.backbone import to_training
from mnistarena.engine.measure import count_parameters
from mnistarena.engine.model_state import load_stored, stored_state
from mnistarena.trial.model import build_model

from .recipes import TASK, batches, figures, loop, plain_network, recipe, same, sgd, stopped_after, trained

DECAY = 0.9


class MeanTeacher(nn.Module):
    """Its inputs are centred by what it finds at the start; a running mean of it, the teacher, takes part in its loss.

    At the end it adds the share of each class to its biases.
    """

    auxiliary = ("teacher",)

    def __init__(self):
        super().__init__()
        self.net = plain_network()
        self.teacher = copy.deepcopy(self.net).requires_grad_(False)
        self.register_buffer("centre", None)
        self.register_buffer("seen", torch.zeros(3, dtype=torch.int64))
        self.told = []

    def forward(self, images):
        return self.net(images - self.centre)

    def on_start(self, context):
        self.centre = torch.cat([images for images, _ in context.in_order(batch_size=50)]).mean(0)
        self.noise = torch.rand(())
        context.note("centred")

    def training_loss(self, images, labels, context):
        self.told.append((context.step, context.total, context.epoch))
        ramp = context.step / context.total
        logits, wanted = self(images), self.teacher(images - self.centre)
        return functional.cross_entropy(logits, labels) + ramp * functional.mse_loss(logits, wanted)

    def after_step(self, context):
        self.seen += torch.tensor([1, context.step, context.epoch])
        for mean, value in zip(self.teacher.parameters(), self.net.parameters(), strict=True):
            mean.mul_(DECAY).add_(value, alpha=1 - DECAY)

    def on_end(self, context):
        labels = torch.cat([labels for _, labels in context.in_order()])
        self.net[-1].bias += labels.bincount(minlength=10) / len(labels)


def test_a_model_prepares_itself_ramps_its_loss_follows_its_steps_and_ends_as_in_a_plain_loop():
    ours, outcome, rows = trained(recipe(), MeanTeacher())
    theirs = plain_network()
    teacher, done = copy.deepcopy(theirs).requires_grad_(False), [0]
    images = torch.cat([images for images, _ in batches().in_order()])
    centre = images.mean(0)

    class Centred(nn.Module):
        def forward(self, images):
            return theirs(images - centre), teacher(images - centre)

    def loss(both, labels):
        logits, wanted = both
        return functional.cross_entropy(logits, labels) + done[0] / 15 * functional.mse_loss(logits, wanted)

    def after_step(step):
        done[0] = step
        with torch.no_grad():
            for mean, value in zip(teacher.parameters(), theirs.parameters(), strict=True):
                mean.mul_(DECAY).add_(value, alpha=1 - DECAY)

    means = loop(Centred(), sgd(theirs), loss=loss, after_step=after_step)
    with torch.no_grad():
        theirs[-1].bias += batches().labels.bincount(minlength=10) / 300
    same(ours.net, theirs)
    same(ours.teacher, teacher)
    assert [row["train_loss"] for row in rows] == pytest.approx(means, rel=1e-5)
    # One more is of the warm-up, which leaves no trace else.
    assert ours.told[-15:] == [(step, 15, step // 5) for step in range(15)]
    assert ours.seen.tolist() == [15, sum(range(1, 16)), 5 * (0 + 1 + 2)]
    # What on_end did is in the scores that stand for the model, and in no row of the history.
    assert outcome["validation_loss"] != rows[-1]["validation_loss"]
    assert outcome["train_seconds"] > rows[-1]["train_seconds"]


def test_what_it_does_is_continued_with_the_same_bits():
    undisturbed, outcome, rows = trained(recipe(), MeanTeacher())
    for calls in (3, 6):
        model, again, further = stopped_after(calls, recipe(), MeanTeacher)
        for key, value in undisturbed.state_dict().items():
            assert torch.equal(model.state_dict()[key], value), f"{key}, stopped at {calls}"
        assert figures(further) == figures(rows)[-len(further) :]
        assert again["validation_loss"] == outcome["validation_loss"]
        assert not hasattr(model, "noise"), "on_start is called once"


def test_an_auxiliary_module_is_neither_counted_nor_stored_and_stays_in_evaluation_mode_where_it_is_frozen():
    model, counted = MeanTeacher(), sum(p.numel() for p in plain_network().parameters())
    assert count_parameters(model) == {"parameters": counted, "trainable_parameters": counted}
    assert not [name for name in stored_state(model) if name.startswith("teacher")]
    to_training(model)
    assert model.net.training
    assert not model.teacher.training
    twin = MeanTeacher()
    with torch.no_grad():
        model.net[1].bias += 1
        twin.teacher[1].bias += 2
    load_stored(twin, stored_state(model))
    same(twin.net, model.net)
    assert twin.teacher[1].bias.equal(plain_network()[1].bias + 2)


def test_random_numbers_of_the_start_are_drawn_from_the_seed():
    drawn = []
    for stream in range(2):
        model = MeanTeacher()
        torch.manual_seed(stream)
        drawn.append(trained(recipe(epochs=1), model)[0].noise)
    assert drawn[0] == drawn[1]


def test_names_that_mean_nothing_are_refused():
    class Unknown(MeanTeacher):
        auxiliary = ("teach",)

    class Both(MeanTeacher):
        def fit(self, training):
            pass

    for kind, words in (
        (Unknown, "auxiliary is a list of names of modules of the model, and 'teach' is none; it has net, net.0"),
        (Both, r"has fit\(training\), and nothing calls its on_start and after_step and on_end then"),
    ):
        definition = ModelDef("m", "m", params=Params, build=lambda params, task, kind=kind: kind())
        with pytest.raises(TrialError, match=words):
            build_model(definition, Params(), TASK)
