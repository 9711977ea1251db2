"""Every key of [training] does what a plain torch loop does with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mnistarena import TrialError
from mnistarena.engine.parts import Schedule
from mnistarena.engine.seeds import derive
from mnistarena.plugin.registry import built_in

from .recipes import DIGITS, PARTS, SEED, batches, loop, network, plain_network, recipe, same, sgd, trained, validated

LABELS = DIGITS.train_labels[PARTS.train]
COUNTS = np.bincount(LABELS)
BALANCED = torch.tensor(len(LABELS) / (10 * COUNTS), dtype=torch.float32)


def both(changes, *, model=network, optimizer=sgd, **plain):
    """The engine's training and the plain loop: equal weights, equal losses."""
    ours, outcome, rows = trained(recipe(**changes), model())
    theirs = model()
    losses = loop(theirs, optimizer(theirs), **plain)
    same(ours, theirs)
    assert [row["train_loss"] for row in rows] == pytest.approx(losses, rel=1e-5)
    return outcome, rows


def focal(outputs, targets):
    p = outputs.softmax(1).gather(1, targets[:, None])[:, 0]
    return (-((1 - p) ** 1.5) * p.log()).mean()


def brier(outputs, targets):
    return (outputs.softmax(1) - functional.one_hot(targets, 10)).pow(2).sum(1).mean()


@pytest.mark.parametrize(
    ("changes", "loss"),
    [
        ({"label_smoothing": 0.1}, nn.CrossEntropyLoss(label_smoothing=0.1)),
        ({"loss": {"name": "cross-entropy", "label_smoothing": 0.1}}, nn.CrossEntropyLoss(label_smoothing=0.1)),
        ({"loss": {"name": "multi-margin", "margin": 0.5}}, nn.MultiMarginLoss(margin=0.5)),
        ({"loss": "brier"}, brier),
        ({"loss": {"name": "focal", "gamma": 1.5}}, focal),
        ({"class_weights": "balanced"}, nn.CrossEntropyLoss(weight=BALANCED)),
        (
            {"class_weights": [1.0] * 9 + [5.0], "loss": "multi-margin"},
            nn.MultiMarginLoss(weight=torch.tensor([1.0] * 9 + [5.0])),
        ),
    ],
    ids=lambda value: None if callable(value) else str(value),
)
def test_losses(changes, loss):
    both(changes, loss=loss)


def test_soft_targets_give_what_labels_give():
    targets, outputs = torch.arange(10), torch.randn(10, 10, generator=torch.Generator().manual_seed(0))
    for component in built_in().all("loss"):
        if component.definition.soft_targets:
            of = component.definition.build(component.definition.params(), None)
            torch.testing.assert_close(of(outputs, targets), of(outputs, functional.one_hot(targets).float()))


def test_drop_last_leaves_out_the_small_batch():
    outcome, _ = both({"drop_last": True}, drop_last=True)
    assert outcome["steps"] == 3 * (300 // 64)
    with pytest.raises(
        TrialError, match="drop_last leaves nothing to train on: there are 300 images, and a step takes"
    ):
        trained(recipe(drop_last=True, batch_size=301))


def test_a_last_batch_of_one_image_is_named_where_it_cannot_be_trained_on():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))
    with pytest.raises(
        TrialError, match="step 14 trains on one image alone.*set drop_last = true, or another batch_size"
    ):
        trained(recipe(batch_size=23), model)  # 300 = 13 × 23 + 1
    assert trained(recipe(batch_size=23, drop_last=True), model)[1]["steps"] == 39


def test_accumulated_gradients_are_those_of_the_large_batch():
    both({"batch_size": 16, "accumulate": 4}, model=plain_network, size=64)
    both(
        {"batch_size": 50, "accumulate": 3, "gradient_clip": 1e9, "label_smoothing": 0.1},
        model=plain_network,
        size=150,
        loss=nn.CrossEntropyLoss(label_smoothing=0.1),
    )


def test_balanced_sampling_draws_as_torchs_sampler():
    drawn = torch.cat([labels for _, labels in batches().epoch(64, 7, 0, balanced=True)])
    weights = 1 / torch.tensor(COUNTS)[torch.tensor(LABELS)].double()
    sampler = torch.utils.data.WeightedRandomSampler(weights, len(LABELS), generator=torch.Generator().manual_seed(7))
    assert torch.equal(drawn, torch.tensor(LABELS)[list(sampler)])
    uneven = np.concatenate([PARTS.train[LABELS == 0], PARTS.train[LABELS == 1][:3]])
    labels = torch.cat([labels for _, labels in batches(uneven).epoch(8, 7, 0, balanced=True)])
    assert 0.3 < labels.double().mean() < 0.7, "three images of class 1 are drawn as often as all of class 0"
    _, rows = trained(recipe(sampling="balanced"))[1:]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


def test_groups_by_pattern_and_weight_decay_of_weights_alone():
    def decayed(model):
        weights = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() <= 1]
        return torch.optim.SGD([{"params": weights}, {"params": others, "weight_decay": 0}], lr=0.1, weight_decay=0.1)

    optimizer = {"name": "sgd", "lr": 0.1, "weight_decay": 0.1, "fused": False}
    both({"optimizer": optimizer, "decayed": "weights"}, optimizer=decayed)
    both(
        {
            "optimizer": optimizer,
            "groups": [{"match": "*.bias", "weight_decay": 0}, {"match": "1.*", "weight_decay": 0}],
        },
        optimizer=decayed,
    )


def test_a_group_may_have_its_own_rate_and_its_own_optimizer():
    def rates(model):
        return torch.optim.SGD(
            [{"params": model[5].parameters(), "lr": 0.01}, {"params": model[:5].parameters()}], lr=0.1
        )

    both({"groups": [{"match": "5.*", "lr": 0.01}]}, optimizer=rates)

    class Two:
        def __init__(self, model):
            self.members = [torch.optim.SGD(model[:5].parameters(), lr=0.1)]
            self.members.append(torch.optim.RMSprop(model[5].parameters(), lr=0.001, weight_decay=0.1))

        def zero_grad(self):
            [one.zero_grad() for one in self.members]

        def step(self):
            [one.step() for one in self.members]

    groups = [{"match": "5.*", "weight_decay": 0.1, "optimizer": {"name": "rmsprop", "lr": 0.001}}]
    both({"groups": groups}, optimizer=Two)


def test_a_pattern_that_matches_nothing_names_the_parameters():
    with pytest.raises(
        TrialError, match=r'groups: no parameter that is trained matches "head\.\*"; the model has 0\.w'
    ):
        trained(recipe(groups=[{"match": "head.*", "lr": 0.01}]))


class Foret(torch.optim.Optimizer):
    """SAM as the paper's authors' followers write it: two steps around a second backward pass."""

    def __init__(self, parameters, rho):
        super().__init__(parameters, {"rho": rho})
        self.base = torch.optim.SGD(self.param_groups, lr=0.05, momentum=0.9)

    @torch.no_grad()
    def first(self):
        everything = [p for group in self.param_groups for p in group["params"]]
        norm = torch.norm(torch.stack([p.grad.norm(p=2) for p in everything]), p=2)
        for p in everything:
            self.state[p]["e"] = p.grad * self.param_groups[0]["rho"] / (norm + 1e-12)
            p.add_(self.state[p]["e"])

    @torch.no_grad()
    def second(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(self.state[p]["e"])
        self.base.step()


def test_sam_is_that_of_the_paper():
    ours, _, rows = trained(recipe(optimizer={"name": "sam", "lr": 0.05, "rho": 0.1}), plain_network())
    theirs, losses = plain_network(), []
    optimizer = Foret(theirs.parameters(), 0.1)
    for epoch in (1, 2, 3):
        total = 0
        for images, labels in batches().epoch(64, derive(SEED, "order", epoch), 0):
            optimizer.zero_grad()
            loss = functional.cross_entropy(theirs(images), labels)
            loss.backward()
            optimizer.first()
            optimizer.zero_grad()
            functional.cross_entropy(theirs(images), labels).backward()
            optimizer.second()
            total += loss.item() * len(labels)
        losses.append(total / 300)
    same(ours, theirs)
    assert [row["train_loss"] for row in rows] == pytest.approx(losses, rel=1e-5)


def test_lbfgs_steps_through_a_closure():
    table = {"name": "LBFGS", "lr": 0.5, "max_iter": 4, "line_search_fn": "strong_wolfe"}
    ours, _, _ = trained(recipe(optimizer=table, batch_size=300), plain_network())
    theirs = plain_network()
    optimizer = torch.optim.LBFGS(theirs.parameters(), lr=0.5, max_iter=4, line_search_fn="strong_wolfe")
    for epoch in (1, 2, 3):
        ((images, labels),) = batches().epoch(300, derive(SEED, "order", epoch), 0)

        def closure(images=images, labels=labels):
            optimizer.zero_grad()
            loss = functional.cross_entropy(theirs(images), labels)
            loss.backward()
            return loss

        optimizer.step(closure)
    same(ours, theirs, rtol=1e-4, atol=1e-5)


def test_dropout_draws_alike_each_time_a_step_evaluates_the_loss():
    class Seen(nn.Dropout):
        def __init__(self, p):
            super().__init__(p)
            self.masks = []

        def forward(self, x):
            found = super().forward(x)
            self.masks.append((found == 0).detach() & (x != 0))
            return found

    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), Seen(0.5), nn.Linear(32, 10))
    trained(recipe(epochs=1, optimizer={"name": "sam"}), model, validation=False)
    masks = model[2].masks
    pairs = list(zip(masks[::2], masks[1::2], strict=True))
    # The weights differ between the two, and with them the signs; the units that were dropped do not.
    assert all(torch.equal(one, other) for one, other in pairs)
    assert not torch.equal(masks[0], masks[2])


SCHEDULERS = {
    "exponential": (
        {"name": "exponential", "gamma": 0.5, "every": 1},
        lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5),
    ),
    "linear": (
        {"name": "linear", "initial": 1.0, "final": 0.1},
        lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=15),
    ),
    "cosine-restarts": (
        {"name": "cosine-restarts", "every": 3, "growth": 2},
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2),
    ),
    "cosine": (
        {"name": "cosine"},
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15),
    ),
    "step": (
        {"name": "step", "every": "1 epoch", "gamma": 0.5},
        lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5),
    ),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedules(name):
    table, make = SCHEDULERS[name]
    theirs = plain_network()
    optimizer = sgd(theirs)
    scheduler = make(optimizer)
    loop(theirs, optimizer, after_step=lambda step: scheduler.step())
    same(trained(recipe(schedule=table), plain_network())[0], theirs)


def test_a_warm_up_comes_before_every_shape_and_may_be_said_in_epochs():
    def curve(**table):
        schedule = Schedule(recipe(schedule=table), 20, 5, built_in())
        return [schedule.factor(step) for step in range(20)]

    for component in built_in().all("schedule"):
        assert curve(name=component.name, warmup_steps="1 epoch")[:5] == pytest.approx([i / 6 for i in range(1, 6)])
    assert curve(name="linear", warmup_steps="5 steps")[5:] == pytest.approx([1 - i / 15 for i in range(15)])
    assert curve(name="step", every="2 epochs", gamma=0.5)[9:11] == [1.0, 0.5]
    assert curve(name="step", every=4, gamma=0.5)[3:5] == [1.0, 0.5]


@pytest.mark.parametrize("by", ["loss", "monitor"])
def test_plateau_is_torchs(by):
    table = {"name": "plateau", "patience": 1, "gamma": 0.5, "threshold": 0.3, "by": by}
    optimizer = {"name": "sgd", "lr": 1.0, "fused": False}
    ours, _, rows = trained(recipe(epochs=12, optimizer=optimizer, schedule=table), plain_network())
    theirs = plain_network()
    torchs = sgd(theirs, lr=1.0)
    mode = {"mode": "min", "threshold_mode": "rel"} if by == "loss" else {"mode": "max", "threshold_mode": "abs"}
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(torchs, factor=0.5, patience=1, threshold=0.3, eps=0, **mode)
    rates = []

    def after_epoch(epoch):
        rates.append(torchs.param_groups[0]["lr"])
        plateau.step(validated(theirs)[by == "monitor"])

    loop(theirs, torchs, epochs=12, after_epoch=after_epoch)
    assert [row["learning_rate"] for row in rows] == pytest.approx(rates)
    assert rates[-1] < 1
    same(ours, theirs, rtol=1e-4, atol=1e-5)


def test_ema_is_torchs_averaged_model():
    ours, outcome, rows = trained(recipe(average={"name": "ema", "decay": 0.9}))
    theirs, figures = network(), []
    averaged = AveragedModel(theirs, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    loop(
        theirs,
        sgd(theirs),
        after_step=lambda step: averaged.update_parameters(theirs),
        after_epoch=lambda epoch: figures.append(validated(averaged.module)),
    )
    for name, value in averaged.module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    assert [(row["validation_loss"], row["validation_accuracy"]) for row in rows] == [
        (pytest.approx(loss, rel=1e-5), accuracy) for loss, accuracy in figures
    ]
    assert validated(ours)[1] == outcome["validation_accuracy"]


def test_swa_is_torchs_averaged_model():
    ours, _, _ = trained(recipe(epochs=4, average={"name": "swa", "start": 0.5}))
    theirs = network()
    averaged = AveragedModel(theirs, use_buffers=True)
    loop(
        theirs,
        sgd(theirs),
        epochs=4,
        after_epoch=lambda epoch: averaged.update_parameters(theirs) if epoch >= 2 else None,
    )
    assert averaged.n_averaged == 3
    for name, value in averaged.module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_patience_ends_a_training_and_best_is_by_what_is_monitored():
    wild = {"epochs": 30, "optimizer": {"name": "sgd", "lr": 2.0}, "patience": 2, "select": "best"}
    for monitor, key, sign in (
        ("accuracy", "validation_accuracy", 1),
        ("loss", "validation_loss", -1),
        ("f1_macro", "validation_monitor", 1),
        ("log_loss", "validation_monitor", -1),
    ):
        model, outcome, rows = trained(recipe(**wild, monitor=monitor), plain_network())
        scored = [(sign * row[key], -row["validation_loss"]) for row in rows]
        best = scored.index(max(scored))
        assert best == len(rows) - 3, "two epochs without improvement, and no more"
        assert len(rows) < 30
        assert outcome["selected_epoch"] == best + 1
        assert outcome["epochs"] == len(rows)
        assert validated(model) == (rows[best]["validation_loss"], rows[best]["validation_accuracy"])


def test_mixup_mixes_as_its_share_says():
    (mixup,) = (c.definition for c in built_in().all("augmentation") if c.name == "mixup")
    images, labels = torch.rand(6, 1, 4, 4), torch.arange(6)
    made, targets = mixup.build(mixup.params(), batches().chain.task)(images, labels, torch.Generator().manual_seed(3))
    kept = targets[torch.arange(6), labels]
    other = (targets - kept[:, None] * functional.one_hot(labels, 10)).argmax(1)
    share = next(float(k) for k, o, own in zip(kept, other, labels, strict=True) if k < 1 and o != own)
    partner = torch.where(kept < 1, other, labels)
    torch.testing.assert_close(made, share * images + (1 - share) * images[partner])
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    shares = [
        mixup.build(mixup.params(alpha=0.2), batches().chain.task)(
            torch.eye(2).view(2, 1, 1, 2), torch.tensor([0, 1]), torch.Generator().manual_seed(seed)
        )[1][0, 0].item()
        for seed in range(400)
    ]
    mixed = np.array([s for s in shares if s < 1])
    assert abs(mixed.mean() - 0.5) < 0.06
    assert abs(mixed.var() - 1 / (4 * (2 * 0.2 + 1))) < 0.03, "Beta(a, a) has the variance 1 / (4 (2 a + 1))"


def test_cutmix_pastes_a_rectangle_and_mixes_targets_by_its_area():
    (cutmix,) = (c.definition for c in built_in().all("augmentation") if c.name == "cutmix")
    apply = cutmix.build(cutmix.params(), batches().chain.task)
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 12, 10).contiguous()
    for seed in range(20):
        made, targets = apply(images, torch.arange(8), torch.Generator().manual_seed(seed))
        own = (made == images).flatten(1).double().mean(1)
        torch.testing.assert_close(targets[torch.arange(8), torch.arange(8)].double(), own, rtol=0, atol=1e-6)
        changed = (made != images).any(0)[0]
        if changed.any():
            rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
            assert changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


def test_mixing_trains_as_the_plain_loop_does():
    (mixup,) = (c.definition for c in built_in().all("augmentation") if c.name == "mixup")
    ours, _, _ = trained(recipe(augmentations=[{"name": "mixup", "alpha": 0.4}], label_smoothing=0.1))
    theirs = network()
    apply, split = mixup.build(mixup.params(alpha=0.4), batches().chain.task), batches()
    optimizer = sgd(theirs)
    theirs.train()
    for epoch in (1, 2, 3):
        for images, labels in split.epoch(64, derive(SEED, "order", epoch), derive(SEED, "augment", epoch)):
            mixed, targets = apply(images, labels, split.generator)
            optimizer.zero_grad()
            functional.cross_entropy(theirs(mixed), targets, label_smoothing=0.1).backward()
            optimizer.step()
    same(ours, theirs)


def test_a_models_own_loss_does_not_ignore_what_the_recipe_asks_for():
    class Own(nn.Sequential):
        def training_loss(self, images, labels):
            return functional.cross_entropy(self(images), labels)

    for changes, words in (
        (
            {"augmentations": ["mixup"]},
            'knows nothing of the augmentation "mixup", which mixes classes; leave that out',
        ),
        ({"class_weights": "balanced"}, "knows nothing of class_weights"),
    ):
        with pytest.raises(TrialError, match=words):
            trained(recipe(**changes), Own(nn.Flatten(), nn.Linear(64, 10)))


def test_a_monitored_metric_without_a_figure_is_named():
    class Nothing:
        name, higher_is_better = "nothing", True
        summary = "no figure"

        class params:
            @staticmethod
            def model_validate_json(text):
                return None

        @staticmethod
        def compute(predictions, params):
            return math.nan

    class Registry:
        def get(self, kind, name):
            return type("C", (), {"definition": Nothing})() if kind == "metric" else built_in().get(kind, name)

    with pytest.raises(TrialError, match='the metric "nothing" is nan on the validation images'):
        trained(recipe(monitor="nothing", select="best"), plain_network(), registry=Registry())
