"""The network of `vit`, without loops over images, patches or heads."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from mnistarena_vit import VitParams


NARROW = 8
"""Heads of at most this size are narrow: a CPU multiplies size × tokens matrices faster than tokens × size ones."""


def patchify(images: torch.Tensor, patches: int) -> torch.Tensor:
    """`(N, C, H, W)` to `(N, patches², C·H·W / patches²)`, row by row, each patch flattened channel first."""
    n, channels, height, width = images.shape
    h, w = height // patches, width // patches
    cut = images.reshape(n, channels, patches, h, patches, w)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(n, patches * patches, channels * h * w)


def sinusoids(length: int, width: int) -> torch.Tensor:
    """Position embeddings `(length, width)`: sin at even, cos at odd places (Vaswani et al. 2017)."""
    place = torch.arange(length, dtype=torch.float64)[:, None]
    index = torch.arange(width, dtype=torch.float64)
    angle = place / 10000 ** ((index - index % 2) / width)
    return torch.where(index % 2 == 0, angle.sin(), angle.cos()).float()


class PerHeadMaps(nn.Module):
    """Queries, keys and values of each head from its own slice of the token: 3 · heads small linear maps."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        size = width // heads
        bound = 1 / math.sqrt(size)  # as nn.Linear draws its own
        self.weight = nn.Parameter(torch.empty(3, heads, size, size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(3, heads, size).uniform_(-bound, bound))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """`(N, T, width)` to `(N, T, 3 · width)`."""
        _, heads, size, _ = self.weight.shape
        # One product with a block-diagonal matrix is faster than 3 · heads products of such small matrices.
        own = torch.eye(heads, device=tokens.device, dtype=self.weight.dtype).view(1, heads, 1, heads, 1)
        matrix = (self.weight.unsqueeze(3) * own).reshape(3 * heads * size, heads * size)
        return functional.linear(tokens, matrix, self.bias.flatten())


def tokens_last_attention(maps: torch.Tensor) -> torch.Tensor:
    """Softmax attention on queries, keys and values `(N, T, 3, heads, size)`; `(N, T, heads · size)`.

    Computes what `scaled_dot_product_attention` does, with tokens as the last dimension, contiguous in memory.
    """
    n, length, _, heads, size = maps.shape
    queries, keys, values = maps.permute(2, 0, 3, 4, 1).contiguous().view(3, n * heads, size, length).unbind(0)
    weights = torch.bmm((keys * size**-0.5).transpose(1, 2), queries).softmax(1)  # (keys, queries)
    return torch.bmm(values, weights).view(n, heads * size, length).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, params: VitParams) -> None:
        super().__init__()
        full = params.attention == "full"
        self.heads = params.heads
        self.maps: nn.Module = (
            nn.Linear(params.width, 3 * params.width) if full else PerHeadMaps(params.width, params.heads)
        )
        self.output: nn.Module = nn.Linear(params.width, params.width) if full else nn.Identity()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """`(N, T, width)` to the same."""
        n, length, width = tokens.shape
        maps = self.maps(tokens).view(n, length, 3, self.heads, width // self.heads)
        # In bf16, torch's own kernel for CPUs takes two to ten times as long as these products.
        if not tokens.is_cuda and (width // self.heads <= NARROW or maps.dtype == torch.bfloat16):
            return self.output(tokens_last_attention(maps))
        queries, keys, values = maps.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        return self.output(mixed.transpose(1, 2).reshape(n, length, width))


class Patches(nn.Module):
    """Flattens each patch and applies one linear map to all of them."""

    def __init__(self, image_shape: tuple[int, int, int], patches: int, width: int) -> None:
        super().__init__()
        self.patches = patches
        self.embed = nn.Linear(math.prod(image_shape) // patches**2, width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` to tokens `(N, patches², width)`."""
        return self.embed(patchify(images, self.patches))


class ConvolutionalStem(nn.Module):
    """3 × 3 convolutions of stride 2, doubling their maps up to the width, then a 1 × 1 one (Xiao et al. 2021)."""

    def __init__(self, image_shape: tuple[int, int, int], patches: int, width: int) -> None:
        super().__init__()
        halvings = (image_shape[1] // patches).bit_length() - 1
        maps = [image_shape[0], *(max(1, width >> (halvings - 1 - i)) for i in range(halvings))]
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, stride=2, padding=1) for i, o in pairwise(maps))
        self.embed = nn.Conv2d(width, width, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`(N, C, H, W)` to tokens `(N, patches², width)`."""
        for convolution in self.convolutions:
            images = functional.relu(convolution(images))
        return self.embed(images).flatten(2).transpose(1, 2)


class Block(nn.Module):
    """Attention, then an MLP; each has a LayerNorm before it and a residual connection around it."""

    def __init__(self, params: VitParams) -> None:
        super().__init__()
        width, hidden = params.width, params.width * params.mlp_ratio
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(params)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(params.dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """`(N, T, width)` to the same."""
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens)))
        return tokens + self.dropout(self.mlp(self.mlp_norm(tokens)))


class VisionTransformer(nn.Module):
    """Patches to tokens, a class token in front, blocks, a linear head on the class token."""

    def __init__(self, image_shape: tuple[int, int, int], n_classes: int, params: VitParams) -> None:
        super().__init__()
        self.softmax_output = params.softmax_output
        length = params.patches**2 + 1
        stem = ConvolutionalStem if params.stem == "convolutional" else Patches
        self.stem = stem(image_shape, params.patches, params.width)
        self.class_token = nn.Parameter(torch.rand(1, 1, params.width))
        positions = sinusoids(length, params.width)
        if params.positions == "learned":
            self.positions = nn.Parameter(torch.randn(length, params.width) * 0.02)
        else:
            self.register_buffer("positions", positions, persistent=False)
        self.blocks = nn.Sequential(*(Block(params) for _ in range(params.blocks)))
        self.norm: nn.Module = nn.LayerNorm(params.width) if params.final_norm else nn.Identity()
        self.head = nn.Linear(params.width, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float images `(N, C, H, W)` to logits `(N, n_classes)`; to probabilities with `softmax_output`."""
        tokens = self.stem(images)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), tokens], dim=1) + self.positions
        logits = self.head(self.norm(self.blocks(tokens)[:, 0]))
        return logits.softmax(dim=-1) if self.softmax_output else logits
