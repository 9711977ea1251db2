"""The network of the notebook that mnistarena began as, on images of any size and any number of classes."""

from __future__ import annotations

import mnistarena_cnn
import pytest
import torch
from pydantic import ValidationError

import mnistarena.testing
from mnistarena import Task

(MODEL,) = mnistarena_cnn.arena_models()


def task(shape=(1, 28, 28), n_classes=10):
    return Task(shape, n_classes, class_names=tuple(map(str, range(n_classes))), n_train=100)


def test_it_has_the_notebooks_number_of_parameters():
    assert sum(p.numel() for p in MODEL.build(MODEL.params(), task()).parameters()) == 212_542


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 20), (1, 4, 4)])
@pytest.mark.parametrize("batch", [1, 5])
def test_it_gives_a_logit_a_class_for_any_image_it_accepts(shape, batch):
    assert MODEL.check(MODEL.params(), task(shape)) is None
    assert MODEL.build(MODEL.params(), task(shape, 7))(torch.rand(batch, *shape)).shape == (batch, 7)


def test_pooling_before_relu_is_the_notebooks_mathematics():
    network = MODEL.build(MODEL.params(), task())
    images = torch.randn(4, 1, 28, 28)
    features = images
    for convolution in network.convolutions:
        features = torch.max_pool2d(torch.relu(convolution(features)), 2)
    features = features.flatten(1)
    for linear in network.linears[:-1]:
        features = torch.relu(linear(features))
    torch.testing.assert_close(network(images), network.linears[-1](features))


def test_batch_normalisation_adds_two_values_a_map_and_takes_a_bias():
    network = MODEL.build(MODEL.params(batch_norm=True), task())
    assert sum(p.numel() for p in network.parameters()) == 212_542 + 16 + 32
    network(torch.rand(8, 1, 28, 28)).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_gradients_reach_every_parameter():
    network = MODEL.build(MODEL.params(), task())
    network(torch.rand(8, 1, 28, 28)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_an_image_that_is_too_small_is_refused_with_the_transform_that_fixes_it():
    assert '{ name = "pad", size = 4 }' in MODEL.check(MODEL.params(), task((1, 3, 3)))
    assert '{ name = "pad", size = 28 }' in MODEL.check(MODEL.params(), task((1, 3, 28))), (
        "padding cannot make a side smaller"
    )
    valid = MODEL.params(kernel_size=[5, 3], padding="valid")
    assert '{ name = "pad", size = 12 }' in MODEL.check(valid, task((1, 11, 11)))
    assert MODEL.check(valid, task((1, 12, 12))) is None
    assert MODEL.build(valid, task((1, 12, 12)))(torch.rand(2, 1, 12, 12)).shape == (2, 10)


def test_the_published_record_network_is_a_choice_of_parameters():
    """conv 5 × 5 24, conv 3 × 3 32, both without padding, 256 hidden units: 800 features go in."""
    record = MODEL.params(channels=[24, 32], kernel_size=[5, 3], padding="valid", hidden=[256])
    network = MODEL.build(record, task())
    assert network.linears[0].in_features == 800
    assert sum(p.numel() for p in network.parameters()) == 624 + 6_944 + 205_056 + 2_570


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": []},
        {"channels": [0]},
        {"hidden": "120"},
        {"chanels": [8]},
        {"kernel_size": 4},
        {"kernel_size": [5]},
    ],
)
def test_parameters_are_strict(wrong):
    with pytest.raises(ValidationError):
        MODEL.params(**wrong)


@mnistarena.testing.parametrize("cnn", params={"channels": [4, 8], "hidden": [16]}, image_shape=(1, 8, 8))
def test_it_keeps_the_promises_of_a_model(check):
    check.run()
