"""The plain classifier that is called Faster R-CNN, with a summary that says what it is."""

from __future__ import annotations

import mnistarena_faster_rcnn
import pytest
import torch

import mnistarena.testing
from mnistarena import Task

MODEL, _ = mnistarena_faster_rcnn.arena_models()


def task(shape=(1, 28, 28), n_classes=10):
    return Task(shape, n_classes, class_names=tuple(map(str, range(n_classes))), n_train=100)


def test_it_has_the_notebooks_number_of_parameters():
    assert sum(p.numel() for p in MODEL.build(MODEL.params(), task()).parameters()) == 421_642


def test_it_says_that_it_is_not_a_detector():
    assert "without a detection head" in MODEL.summary
    assert "in spite of its name a plain classifier" in MODEL.caveat


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 33, 18)])
def test_it_gives_a_logit_a_class(shape):
    network = MODEL.build(MODEL.params(), task(shape, 4))
    output = network(torch.rand(3, *shape))
    assert output.shape == (3, 4)
    output.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_same_seed_builds_the_same_network():
    torch.manual_seed(3)
    one = MODEL.build(MODEL.params(), task())
    torch.manual_seed(3)
    two = MODEL.build(MODEL.params(), task())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_an_image_that_is_too_small_is_refused():
    assert '"resize", size = 4' in MODEL.check(MODEL.params(), task((1, 2, 2)))
    assert '"pad", size = 28' in MODEL.check(MODEL.params(), task((1, 3, 28))), "padding cannot make a side smaller"


@mnistarena.testing.parametrize("faster-rcnn", params={"width": 4, "hidden": 16}, image_shape=(1, 8, 8))
def test_it_keeps_the_promises_of_a_model(check):
    check.run()
