"""Transforms do what their names say, image by image."""

from __future__ import annotations

import pytest
import torch

from mnistarena import Task
from mnistarena.builtin import transforms

DEFS = {definition.name: definition for definition in transforms.arena_transforms()}


def task(shape=(1, 28, 28), mean=(0.25,), std=(0.5,)):
    return Task(shape, 10, class_names=tuple("0123456789"), n_train=100, mean=mean, std=std)


def apply(name, images, seed=0, **params):
    definition = DEFS[name]
    checked = definition.params(**params)
    shape = tuple(images.shape[1:])
    out = definition.build(checked, task(shape))(images, torch.Generator().manual_seed(seed))
    promised = definition.shape(checked, shape) if definition.shape else shape
    assert tuple(out.shape[1:]) == promised, "shape() promises what build does"
    assert len(out) == len(images)
    return out


def test_normalize_uses_the_training_splits_statistics_also_after_to_rgb():
    images = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(apply("normalize", images), (images - 0.25) / 0.5)
    rgb = apply("to-rgb", images)
    torch.testing.assert_close(apply("normalize", rgb)[:, 2:], (images - 0.25) / 0.5)
    torch.testing.assert_close(apply("normalize", images, statistics="half"), images * 2 - 1)


def test_normalize_survives_a_constant_channel():
    definition = DEFS["normalize"]
    out = definition.build(definition.params(), task(std=(0.0,)))(torch.rand(2, 1, 4, 4), None)
    assert out.isfinite().all()


def test_imagenets_statistics_need_three_channels():
    with pytest.raises(ValueError, match="to-rgb"):
        DEFS["normalize"].shape(DEFS["normalize"].params(statistics="imagenet"), (1, 28, 28))


def test_resize_crop_pad_and_to_rgb_change_the_shape_as_they_say():
    images = torch.rand(3, 1, 28, 28)
    assert apply("resize", images, size=32).shape == (3, 1, 32, 32)
    assert apply("resize", images, size=[10, 20]).shape == (3, 1, 10, 20)
    padded = apply("pad", images, size=33)
    assert torch.equal(padded[:, :, 2:30, 2:30], images)
    assert padded.sum() == pytest.approx(images.sum().item(), rel=1e-5)
    assert torch.equal(apply("center-crop", padded, size=28), images)
    assert torch.equal(apply("center-crop", images, size=[28, 7]), images[:, :, :, 10:17])
    assert torch.equal(apply("to-rgb", images)[:, 1:2], images)
    with pytest.raises(ValueError, match="29 × 7 pixels cannot be cut out of 28 × 28 images"):
        DEFS["center-crop"].shape(DEFS["center-crop"].params(size=[29, 7]), (1, 28, 28))
    with pytest.raises(ValueError, match="do not shrink by padding"):
        DEFS["pad"].shape(DEFS["pad"].params(size=20), (1, 28, 28))
    with pytest.raises(ValueError, match="2 channels"):
        DEFS["to-rgb"].shape(DEFS["to-rgb"].params(), (2, 28, 28))


@pytest.mark.parametrize(
    ("name", "params"), [("random-affine", {}), ("random-erasing", {"probability": 1.0, "value": 9.0})]
)
def test_random_transforms_draw_for_each_image_and_repeat_with_the_seed(name, params):
    assert DEFS[name].random
    digit = torch.zeros(1, 1, 28, 28)
    digit[:, :, 6:22, 10:14] = 1
    out = apply(name, digit.expand(16, -1, -1, -1), **params)
    assert len({image.numpy().tobytes() for image in out}) == 16
    assert torch.equal(out, apply(name, digit.expand(16, -1, -1, -1), **params))
    assert not torch.equal(out, apply(name, digit.expand(16, -1, -1, -1), seed=1, **params))


def test_affine_at_rest_changes_nothing_and_keeps_to_its_bounds():
    images = torch.rand(5, 1, 12, 20)
    at_rest = {"degrees": 0.0, "translate": 0.0, "scale": [1.0, 1.0]}
    torch.testing.assert_close(apply("random-affine", images, **at_rest), images, atol=1e-5, rtol=1e-5)
    dot = torch.zeros(64, 1, 41, 41)
    dot[:, :, 20, 20] = 1
    moved = apply("random-affine", dot, **{**at_rest, "translate": 0.1})
    where = moved.flatten(1).argmax(1)
    rows, columns = where // 41 - 20, where % 41 - 20
    assert rows.abs().max() <= 5
    assert columns.abs().max() <= 5
    assert rows.unique().numel() > 3


def test_affine_rotates_a_wide_image_without_shearing_it():
    bar = torch.zeros(1, 1, 21, 41)
    bar[:, :, 10, 13:28] = 1  # 15 pixels long
    turned = apply("random-affine", bar.expand(32, -1, -1, -1), degrees=90.0, translate=0.0, scale=[1.0, 1.0])
    ink = turned.sum((1, 2, 3))
    assert ((ink - 15).abs() < 2.5).all(), "a rotation keeps the ink"


def test_erasing_covers_a_rectangle_of_the_share_it_was_given():
    images = torch.zeros(200, 1, 28, 28)
    out = apply("random-erasing", images, probability=0.5, area=[0.1, 0.2], value=1.0)
    share = out.mean((1, 2, 3))
    erased = share > 0
    assert 70 < erased.sum() < 130
    assert (share[erased] > 0.07).all()
    assert (share[erased] < 0.24).all()


@pytest.mark.parametrize(
    ("shape", "turn"), [((61, 61), {"scale": [2.0, 2.0]}), ((61, 101), {"degrees": 90.0, "scale": [1.0, 1.0]})]
)
def test_scale_and_rotation_leave_the_bounds_of_the_shift_alone(shape, turn):
    height, width = shape
    dot = torch.zeros(1, 1, height, width)
    dot[:, :, height // 2, width // 2] = 1
    moved = apply("random-affine", dot.expand(256, -1, -1, -1), **{"degrees": 0.0, "translate": 0.1, **turn})
    where = moved.flatten(1).argmax(1)
    assert 0.07 * height < (where // width - height // 2).abs().max() <= 0.1 * height + 1
    assert 0.07 * width < (where % width - width // 2).abs().max() <= 0.1 * width + 1


def test_erasing_takes_a_pixel_at_least_and_an_ordered_area():
    out = apply("random-erasing", torch.zeros(50, 1, 8, 8), probability=1.0, area=[0.001, 0.005], value=1.0)
    assert (out.sum((1, 2, 3)) >= 1).all()
    with pytest.raises(ValueError, match="give the least first"):
        DEFS["random-erasing"].params(area=[0.5, 0.1])
