"""The ViT gives what the loops of the notebook that mnistarena began as give."""

from __future__ import annotations

import math

import mnistarena_vit
import mnistarena_vit.network
import pytest
import torch
from pydantic import ValidationError

import mnistarena.testing
from mnistarena import Task

(MODEL,) = mnistarena_vit.arena_models()


def task(shape=(1, 28, 28)):
    return Task(shape, 10, class_names=tuple("0123456789"), n_train=100)


def build(shape=(1, 28, 28), **params):
    torch.manual_seed(0)
    return MODEL.build(MODEL.params(**params), task(shape))


def test_it_has_the_notebooks_number_of_parameters():
    assert sum(p.numel() for p in build().parameters()) == 1_642


def looped(network, image, n, heads):
    """One image through the notebook's algorithm, patch by patch and head by head."""
    _, h, w = image.shape
    size_h, size_w = h // n, w // n
    patches = []
    for i in range(n):
        for j in range(n):
            patches.append(image[:, i * size_h : (i + 1) * size_h, j * size_w : (j + 1) * size_w].flatten())
    tokens = torch.cat([network.class_token[0], network.stem.embed(torch.stack(patches))])
    d = tokens.shape[1]
    for i in range(len(tokens)):
        row = [math.sin(i / 10000 ** (j / d)) if j % 2 == 0 else math.cos(i / 10000 ** ((j - 1) / d)) for j in range(d)]
        tokens[i] = tokens[i] + torch.tensor(row)
    for block in network.blocks:
        normed, size, parts = block.attention_norm(tokens), d // heads, []
        for head in range(heads):
            own = normed[:, head * size : (head + 1) * size]
            maps = block.attention.maps
            q, k, v = (own @ maps.weight[m, head].T + maps.bias[m, head] for m in range(3))
            parts.append(torch.softmax(q @ k.T / size**0.5, dim=-1) @ v)
        tokens = tokens + torch.hstack(parts)
        tokens = tokens + block.mlp(block.mlp_norm(tokens))
    return network.head(tokens[0])


@pytest.mark.parametrize(
    ("shape", "params"), [((1, 28, 28), {}), ((3, 12, 8), {"patches": 4, "width": 12, "heads": 3})]
)
def test_batched_code_equals_the_notebooks_loops(shape, params):
    network = build(shape, **params)
    images = torch.randn(3, *shape)
    expected = torch.stack(
        [looped(network, x, network.stem.patches, network.blocks[0].attention.heads) for x in images]
    )
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)


def test_attention_in_bf16_is_that_of_float32_but_for_its_rounding(monkeypatch):
    network, images = build(width=64, heads=4, attention="full", positions="learned"), torch.rand(8, 1, 28, 28)
    logits, gradients = trained(network, images)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, rounded_gradients = trained(network, images)
    torch.testing.assert_close(rounded.float(), logits, atol=0.05, rtol=0)
    assert torch.nn.functional.cosine_similarity(rounded_gradients, gradients, dim=0) > 0.99
    monkeypatch.setattr(mnistarena_vit.network, "NARROW", 64)  # the products that bf16 uses, in float32
    same, same_gradients = trained(network, images)
    torch.testing.assert_close(same, logits)
    torch.testing.assert_close(same_gradients, gradients)


def trained(network, images):
    """The logits of the images, and the gradients of a loss, one behind another."""
    network.zero_grad()
    logits = network(images)
    torch.nn.functional.cross_entropy(logits, torch.arange(len(images))).backward()
    return logits.detach(), torch.cat([p.grad.flatten() for p in network.parameters()])


def test_softmax_output_reproduces_the_notebooks_mistake():
    images = torch.randn(4, 1, 28, 28)
    logits, chances = build()(images), build(softmax_output=True)(images)
    torch.testing.assert_close(chances, logits.softmax(-1))


PROPER = {"attention": "full", "positions": "learned", "final_norm": True, "width": 16}


@pytest.mark.parametrize("params", [{}, PROPER, {**PROPER, "stem": "convolutional"}])
def test_gradients_reach_every_parameter_and_the_state_round_trips(params):
    network = build(**params)
    network(torch.rand(8, 1, 28, 28)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    twin = build(**params)
    twin.load_state_dict(network.state_dict())
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(network(images), twin(images))


def test_an_image_that_the_patches_do_not_cover_is_refused_with_what_fixes_it():
    assert '{ name = "resize", size = 14 }' in MODEL.check(MODEL.params(), task((1, 8, 8)))


def test_a_convolutional_stem_gives_a_token_a_patch_and_says_which_patches_it_can_make():
    for side, patches in ((28, 7), (32, 4), (14, 7)):
        assert build((1, side, side), stem="convolutional", patches=patches).stem(
            torch.rand(2, 1, side, side)
        ).shape == (
            2,
            patches**2,
            8,
        )
    params = MODEL.params(stem="convolutional", patches=4)
    assert "must be 2, 4, 8" in MODEL.check(params, task((1, 28, 28)))


def test_heads_must_share_the_width():
    with pytest.raises(ValidationError, match="cannot be shared"):
        MODEL.params(width=10, heads=3)


def test_positions_keep_the_notebooks_precision_in_long_sequences():
    found = build((1, 64, 64), patches=64, width=32).positions
    for i, j in ((4096, 2), (4096, 3), (3001, 10)):
        angle = i / 10000 ** ((j - j % 2) / 32)
        assert found[i, j].item() == pytest.approx(math.cos(angle) if j % 2 else math.sin(angle), abs=1e-6)


def test_the_same_seed_gives_the_same_numbers_and_dropout_rests_in_eval_mode():
    images = torch.rand(3, 1, 28, 28)
    one, two = build(dropout=0.5), build(dropout=0.5)
    assert not torch.equal(one(images), one(images))
    assert torch.equal(one.eval()(images), two.eval()(images))


@mnistarena.testing.parametrize("vit", params={"width": 8, "patches": 4}, image_shape=(1, 8, 8), learning_rate=0.01)
def test_it_keeps_the_promises_of_a_model(check):
    check.run()


@mnistarena.testing.parametrize(
    "vit",
    params={"patches": 4, "softmax_output": True},
    expected_failures={"logits": "a softmax before the loss, on request"},
    image_shape=(1, 8, 8),
    learning_rate=0.01,
)
def test_with_the_notebooks_mistake_it_keeps_all_promises_but_one(check):
    check.run()
