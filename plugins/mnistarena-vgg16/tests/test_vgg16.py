"""torchvision's VGG16 with another last layer, on images it can take."""

from __future__ import annotations

import mnistarena_vgg16
import pytest
import torch

import mnistarena.testing
from mnistarena import Task
from tests.large_layers import drawn_quickly

(MODEL,) = mnistarena_vgg16.arena_models()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    drawn_quickly(monkeypatch)


def task(shape, n_classes=10):
    return Task(shape, n_classes, class_names=tuple(map(str, range(n_classes))), n_train=100)


def params():
    return MODEL.params(weights=["none"])


def test_it_has_the_known_number_of_parameters_and_takes_its_smallest_image():
    size = mnistarena_vgg16.LEAST_SIZE
    network = MODEL.build(params(), task((3, size, size)))
    assert sum(p.numel() for p in network.parameters()) == 134_301_514
    assert network.eval()(torch.rand(2, 3, size, size)).shape == (2, 10)
    # One pixel less is too little.
    with pytest.raises(RuntimeError):
        network(torch.rand(2, 3, size - 1, size - 1))


def test_what_does_not_fit_is_refused_with_the_transforms_that_fix_it():
    assert MODEL.check(params(), task((3, 32, 32))) is None
    sentence = MODEL.check(params(), task((1, 28, 28)))
    assert '{ name = "resize", size = 32 } and "to-rgb"' in sentence


def test_it_starts_from_imagenet_unless_told_otherwise():
    assert MODEL.params().weights == ["imagenet"]


# A random frozen backbone: its head alone is quick to train.
@mnistarena.testing.parametrize(
    "vgg16",
    params={"weights": ["none"], "freeze": "backbone"},
    image_shape=(3, 32, 32),
    images=64,
    learning_rate=0.003,
)
def test_it_keeps_the_promises_of_a_model(check):
    check.run()
