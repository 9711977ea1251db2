"""The network of `faster-rcnn-detector`: torchvision's Faster R-CNN, sized for an image with one thing in it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from mnistarena_faster_rcnn.boxes import ink_boxes

LEAST_SCORE = 0.001
"""Detections with a lower score are left out; a class without a detection counts as one with this score."""

CELLS = 7
"""Each region is pooled to 7 × 7 cells, as in the paper."""


class Block(nn.Module):
    """A 3 × 3 convolution, pooled by 2 with `pool`, then batch normalisation and ReLU."""

    def __init__(self, channels: int, out_channels: int, pool: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, out_channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.pool = pool

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` to `(N, out_channels, H, W)`, or half of H and W."""
        features = self.convolution(images)
        return functional.relu(self.norm(functional.max_pool2d(features, 2) if self.pool else features))


class Backbone(nn.Sequential):
    """Three convolutions; together they reduce each side by 4, so that an image of 64 pixels has 16 × 16 cells."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            Block(channels, width, pool=True),
            Block(width, 2 * width, pool=True),
            Block(2 * width, 4 * width, pool=False),
        )
        self.out_channels = 4 * width  # FasterRCNN asks for it


class Detector(nn.Module):
    """Faster R-CNN (Ren et al. 2015): region proposals, then a class and a finer box for each of them.

    It is trained on the class and on the box of the image's ink; the best detection is its answer for an image.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], width: int, hidden: int, proposals: int, n_classes: int
    ) -> None:
        super().__init__()
        channels, height, breadth = image_shape
        side = min(height, breadth)
        self.n_classes = n_classes
        backbone = Backbone(channels, width)
        self.detector = FasterRCNN(
            backbone,
            # The transforms of the spec have resized and normalised the images already.
            min_size=side,
            max_size=max(height, breadth),
            _skip_resize=True,  # in training; in evaluation these sizes keep the images as they are
            size_divisible=4,
            image_mean=[0.0] * channels,
            image_std=[1.0] * channels,
            # Half or more of the image; from twice as wide as high to four times as high as wide, like a 1.
            rpn_anchor_generator=AnchorGenerator(((side * 0.5, side * 0.7),), ((0.5, 1.0, 2.0, 4.0),)),
            rpn_pre_nms_top_n_train=8 * proposals,
            rpn_pre_nms_top_n_test=8 * proposals,
            rpn_post_nms_top_n_train=2 * proposals,
            rpn_post_nms_top_n_test=proposals,
            # An image has one object: hundreds of samples, as in the paper, would only repeat it.
            rpn_batch_size_per_image=32,
            box_batch_size_per_image=8,
            box_positive_fraction=0.75,
            box_roi_pool=MultiScaleRoIAlign(["0"], output_size=CELLS, sampling_ratio=1),
            box_head=nn.Sequential(nn.Flatten(), nn.Linear(4 * width * CELLS * CELLS, hidden), nn.ReLU()),
            box_predictor=FastRCNNPredictor(hidden, n_classes + 1),  # class 0 is the background
            box_score_thresh=LEAST_SCORE,
            box_detections_per_img=max(20, n_classes),
        )

    def training_loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The four losses of the paper, summed: objectness and box of the proposals, class and box of the regions."""
        boxes = ink_boxes(images)
        targets = [{"boxes": box[None], "labels": label[None] + 1} for box, label in zip(boxes, labels, strict=True)]
        losses: dict[str, torch.Tensor] = self.detector(list(images), targets)
        return torch.stack(list(losses.values())).sum()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images `(N, C, H, W)` to logits `(N, n_classes)`: the logarithm of each class's share of the best scores.

        Where nothing is found in an image, all classes are equally likely.
        """
        scores = torch.full((len(images), self.n_classes), LEAST_SCORE, device=images.device)
        for row, found in zip(scores, self.detect(images), strict=True):
            row.scatter_reduce_(0, found["labels"] - 1, found["scores"].float(), "amax")
        return (scores / scores.sum(1, keepdim=True)).log()

    def predict_extras(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """`boxes`, those of the best detections, and `ink_boxes`, those of the ink, both `(N, 4)`.

        They are left, top, right, bottom in shares of the image's width and height; zeros where nothing is found.
        """
        height, width = images.shape[-2:]
        sides = torch.tensor([width, height, width, height], dtype=torch.float32, device=images.device)
        boxes = torch.zeros(len(images), 4, device=images.device)
        for box, found in zip(boxes, self.detect(images), strict=True):
            if len(found["scores"]):
                box.copy_(found["boxes"][found["scores"].argmax()])
        return {"boxes": boxes / sides, "ink_boxes": ink_boxes(images) / sides}

    def detect(self, images: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        """The detections of each image: `boxes` in pixels, `labels` from 1, and `scores`, the best first."""
        training = self.detector.training
        self.detector.eval()  # in training mode, it needs the true boxes
        try:
            found: list[dict[str, torch.Tensor]] = self.detector(list(images))
        finally:
            self.detector.train(training)
        return found
