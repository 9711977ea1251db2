"""Corruptions do what their units say."""

from __future__ import annotations

import pytest
import torch

from mnistarena import Task
from mnistarena.builtin import corruptions

BY_NAME = {definition.name: definition for definition in corruptions.arena_transforms()}


def task(side):
    return Task((1, side, side), 2, class_names=("a", "b"), n_train=10)


def altered(name, images, seed=0, **params):
    definition = BY_NAME[name]
    apply = definition.build(definition.params(**params), task(images.shape[-1]))
    return apply(images, torch.Generator().manual_seed(seed))


def dot(side=33, n=1):
    images = torch.zeros(n, 1, side, side)
    images[:, 0, side // 2, side // 2] = 1
    return images


def places(images):
    side = torch.arange(images.shape[-1]).float()
    mass = images.sum((1, 2, 3))
    x, y = (images.sum(dim)[:, 0] @ side / mass for dim in (2, 3))
    return torch.stack([x, y], 1)


def test_blur_spreads_a_dot_by_its_deviation_and_keeps_the_ink():
    blurred = altered("blur", dot(), sigma=2.0)
    assert blurred.sum().item() == pytest.approx(1, abs=1e-5)
    away = torch.arange(33).float() - 16
    assert (blurred[0, 0].sum(0) @ away**2).sqrt().item() == pytest.approx(2, rel=0.03)


def test_noise_has_its_deviation_and_never_leaves_black_and_white():
    grey = torch.full((8, 1, 40, 40), 0.5)
    noisy = altered("noise", grey, deviation=0.1)
    assert noisy.std().item() == pytest.approx(0.1, rel=0.05)
    assert 0 <= altered("noise", grey, deviation=5.0).min() < altered("noise", grey, deviation=5.0).max() <= 1


def test_shift_moves_by_exactly_its_pixels_in_directions_of_its_own():
    moved = places(altered("shift", dot(n=6), pixels=5.0)) - 16
    assert moved.norm(dim=1).tolist() == pytest.approx([5] * 6, abs=0.02)
    assert len({round(float(x), 1) for x in moved[:, 0]}) > 1


def test_rotate_turns_by_exactly_its_degrees_to_either_side():
    images = torch.zeros(12, 1, 33, 33)
    images[:, 0, 16, 28] = 1  # twelve pixels to the right of the centre
    x, y = (places(altered("rotate", images, degrees=30.0)) - 16).T
    angles = torch.rad2deg(torch.atan2(y, x))
    assert angles.abs().tolist() == pytest.approx([30] * 12, abs=0.5)
    assert angles.min() < 0 < angles.max()


def test_scale_shrinks_about_the_centre():
    square = torch.zeros(1, 1, 40, 40)
    square[:, :, 10:30, 10:30] = 1
    assert altered("scale", square, factor=0.5).sum().item() == pytest.approx(100, rel=0.05)


def test_contrast_keeps_the_mean_and_scales_the_rest():
    images = torch.rand(3, 1, 8, 8) * 0.5 + 0.25
    flat = altered("contrast", images, factor=0.2)
    assert torch.allclose(flat.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-5)
    assert torch.allclose(flat.std((1, 2, 3)), 0.2 * images.std((1, 2, 3)), atol=1e-5)


def test_occlusion_blackens_a_square_somewhere_in_each_image():
    hidden = altered("occlusion", torch.ones(10, 1, 20, 20), side=0.3) == 0
    assert hidden.sum((1, 2, 3)).tolist() == [36] * 10
    assert len(torch.unique(hidden.flatten(1), dim=0)) > 1


def test_the_same_seed_draws_the_same_view():
    images = torch.rand(4, 1, 12, 12)
    for name in ("noise", "rotate", "shift", "occlusion"):
        assert torch.equal(altered(name, images, 3), altered(name, images, 3))
        assert not torch.equal(altered(name, images, 3), altered(name, images, 4))
