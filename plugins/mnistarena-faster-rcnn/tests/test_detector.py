"""The detector: its boxes, its losses, and its answer where it finds nothing."""

from __future__ import annotations

import mnistarena_faster_rcnn
import numpy as np
import pytest
import torch
from mnistarena_faster_rcnn.boxes import ink_boxes, intersection_over_union

import mnistarena.testing
from mnistarena import Predictions, Task

_, MODEL = mnistarena_faster_rcnn.arena_models()
(MEAN_IOU,) = mnistarena_faster_rcnn.arena_metrics()
SMALL = MODEL.params(width=4, hidden=16)


def task(shape=(1, 32, 32), n_classes=10):
    return Task(shape, n_classes, class_names=tuple(map(str, range(n_classes))), n_train=100)


def squares(n, side=32):
    """Images with one bright rectangle each, and its box."""
    random = np.random.default_rng(0)
    images, boxes = np.zeros((n, 1, side, side), np.float32), np.zeros((n, 4))
    for image, box in zip(images, boxes, strict=True):
        left, top = random.integers(2, 8, 2)
        width, height = random.integers(8, 20, 2)
        image[0, top : top + height, left : left + width] = 1
        box[:] = left, top, left + width, top + height
    return torch.from_numpy(images), boxes


def test_the_box_of_the_ink_is_found_whatever_the_scale_of_the_values():
    images, boxes = squares(8)
    assert np.array_equal(ink_boxes(images).numpy(), boxes)
    assert np.array_equal(ink_boxes((images - 0.13) / 0.31).numpy(), boxes)
    assert ink_boxes(torch.zeros(1, 1, 4, 6)).tolist() == [[0, 0, 6, 4]], "an image without ink is a box of its own"


def test_boxes_agree_by_their_common_area_over_both():
    one = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 0, 0]])
    two = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 1, 1]])
    assert intersection_over_union(one, two) == pytest.approx([1, 1 / 3, 0, 0])


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 40, 64)])
def test_it_gives_a_logit_a_class_and_a_box_within_the_image(shape):
    torch.manual_seed(0)
    detector = MODEL.build(SMALL, task(shape, 4)).eval()
    images = torch.rand(3, *shape)
    with torch.inference_mode():
        assert detector(images).exp().sum(1).tolist() == pytest.approx([1, 1, 1])
        boxes = detector.predict_extras(images)["boxes"]
    assert boxes.shape == (3, 4)
    assert 0 <= boxes.min() <= boxes.max() <= 1


def test_nothing_found_is_a_uniform_guess_and_no_box():
    torch.manual_seed(0)
    detector = MODEL.build(SMALL, task()).eval()
    bias = detector.detector.roi_heads.box_predictor.cls_score.bias
    with torch.no_grad():
        bias[0] = 100  # sure of background, wherever it looks
    with torch.inference_mode():
        images = torch.rand(2, 1, 32, 32)
        assert detector(images).exp().flatten().tolist() == pytest.approx([0.1] * 20)
        assert detector.predict_extras(images)["boxes"].abs().sum() == 0


def test_it_learns_where_and_what():
    torch.manual_seed(0)
    images, boxes = squares(32)
    labels = torch.from_numpy((boxes[:, 2] - boxes[:, 0] > boxes[:, 3] - boxes[:, 1]).astype(np.int64))  # wide or high
    detector = MODEL.build(MODEL.params(width=8, hidden=32), task(n_classes=2))
    optimizer = torch.optim.Adam(detector.parameters(), lr=0.005)
    detector.train()
    for _ in range(60):
        optimizer.zero_grad()
        detector.training_loss(images, labels).backward()
        optimizer.step()
    detector.eval()
    with torch.inference_mode():
        right = (detector(images).argmax(1) == labels).float().mean()
        extras = {name: value.numpy() for name, value in detector.predict_extras(images).items()}
    assert right > 0.8
    found = Predictions(labels.numpy(), np.full((32, 2), 0.5), index=np.arange(32), extras=extras)
    assert MEAN_IOU.compute(found, MEAN_IOU.params()) > 0.6


def test_a_model_without_boxes_has_no_box_quality():
    found = Predictions(np.zeros(2, np.int64), np.full((2, 2), 0.5), index=np.arange(2))
    assert MEAN_IOU.compute(found, MEAN_IOU.params()) is None


def test_images_too_small_for_regions_are_refused_with_what_fixes_it():
    assert '"resize", size = 64' in MODEL.check(MODEL.params(), task((1, 28, 28)))
    assert MODEL.check(MODEL.params(), task((1, 32, 40))) is None


@mnistarena.testing.parametrize(
    "faster-rcnn-detector",
    params={"width": 4, "hidden": 32},
    image_shape=(1, 32, 32),
    steps=60,
    learning_rate=0.001,
)
def test_the_detector_keeps_the_promises_of_a_model(check):
    check.run()


def random_boxes(n):
    corners = np.sort(np.random.RandomState(0).rand(2, n, 2, 2), axis=2)
    boxes, ink = (np.concatenate([c[:, 0], c[:, 1]], axis=1) for c in corners)
    return {"boxes": boxes, "ink_boxes": ink}


@mnistarena.testing.parametrize("mean_iou", extras=random_boxes)
def test_mean_iou_keeps_the_promises_of_a_metric(check):
    check.run()
