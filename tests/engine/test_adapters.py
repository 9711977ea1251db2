"""What another library draws comes from the generator, for each image, and leaves the global streams alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from mnistarena import TrialError, drawing_from, per_image
from mnistarena.engine.random_state import capture_streams

CPU = torch.device("cpu")
IMAGES = torch.arange(32 * 6).reshape(32, 1, 2, 3) / 255


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def streams():
    state, tensors = capture_streams(CPU)
    return state, tensors["cpu"].tolist()


@pytest.mark.parametrize(
    "draw", [lambda: torch.rand(1).item(), np.random.rand, random.random], ids=["torch", "numpy", "python"]
)
def test_each_stream_is_seeded_for_each_image_and_left_where_it_was(draw):
    apply = per_image(lambda image: image + draw())
    before = streams()
    made = apply(IMAGES, seeded(1))
    assert streams() == before
    assert len((made - IMAGES)[:, 0, 0, 0].unique()) == 32
    draw()  # wherever the global streams stand
    torch.testing.assert_close(apply(IMAGES, seeded(1)), made, rtol=0, atol=0)
    assert not apply(IMAGES, seeded(2)).equal(made)
    generator = seeded(1)
    apply(IMAGES, generator)
    assert not apply(IMAGES, generator).equal(made), "the next batch has draws of its own"

    before = streams()
    with drawing_from(seeded(1)):
        first = draw()
    assert streams() == before
    with drawing_from(seeded(1)):
        assert draw() == first
    with drawing_from(seeded(2)):
        assert draw() != first


def test_a_function_that_raises_leaves_the_streams_where_they_were():
    def broken(image):
        torch.rand(1)
        raise ZeroDivisionError

    before = streams()
    with pytest.raises(ZeroDivisionError):
        per_image(broken)(IMAGES, seeded(1))
    assert streams() == before


def test_images_come_as_they_are_asked_for_and_go_back_as_they_were():
    seen = []

    def spoils(image):
        seen.append((type(image).__name__, tuple(image.shape), str(image.dtype)))
        kept = image.copy() if isinstance(image, np.ndarray) else image.clone()
        image[:] = 0
        return kept

    given = IMAGES.expand(-1, 3, -1, -1)
    for numpy in (False, True):
        for uint8 in (False, True):
            made = per_image(spoils, numpy=numpy, uint8=uint8)(given, seeded(0))
            torch.testing.assert_close(made, IMAGES.expand(-1, 3, -1, -1), rtol=0, atol=0)
    assert given.max() > 0
    assert sorted(set(seen)) == [
        ("Tensor", (3, 2, 3), "torch.float32"),
        ("Tensor", (3, 2, 3), "torch.uint8"),
        ("ndarray", (2, 3, 3), "float32"),
        ("ndarray", (2, 3, 3), "uint8"),
    ]


def test_an_array_without_channels_and_one_that_is_mirrored_are_taken():
    made = per_image(lambda image: image[:, ::-1, 0], numpy=True, uint8=True)(IMAGES, seeded(0))
    torch.testing.assert_close(made, IMAGES.flip(3), rtol=0, atol=0)


def cropped(image):
    return image[:, :, : 1 + int(image[0, 0, 0] > 0)]


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        (cropped, {}, r"cropped made images \(1, 2, 1\) and \(1, 2, 2\) \(C, H, W\) in one batch"),
        (torch.Tensor.tolist, {}, r"tolist returned list; return a tensor \(C, H, W\) or an array \(H, W, C\)"),
        (torch.nn.Flatten(0), {}, r"Flatten returned Tensor of shape \(6,\); return"),
        (torch.Tensor.long, {}, r"long returned values of torch.int64; return float32 or uint8"),
        (torch.nn.Identity(), {"uint8": True}, r'between -1 and 0.498; put its transform before "normalize"'),
    ],
)
def test_what_does_not_fit_is_named(function, options, said):
    images = IMAGES * 2 - 1 if options else IMAGES
    with pytest.raises(TrialError, match=said):
        per_image(function, **options)(images, seeded(0))
