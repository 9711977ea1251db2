"""The architectures of timm work on digits, or an error says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import mnistarena_timm
import pytest
import torch
from mnistarena_timm import TimmParams

import mnistarena.testing
from mnistarena import ArenaError, PrepareContext, Task, TrialError

(MODEL,) = mnistarena_timm.arena_models()


def task(*shape, n_classes=10):
    return Task(shape, n_classes, class_names=tuple(map(str, range(n_classes))), n_train=100)


DIGITS = task(1, 28, 28)


def build(architecture, of=DIGITS, **params):
    return MODEL.build(TimmParams(architecture=architecture, **params), of)


@pytest.mark.parametrize(
    "architecture",
    ["test_resnet", "test_vit", "test_convnext", "test_efficientnet", "mobilenetv3_small_050", "vit_tiny_patch16_224"],
)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)], ids=str)
def test_an_architecture_takes_images_as_small_as_digits_and_of_any_channels(architecture, shape):
    network = build(architecture, task(*shape, n_classes=7)).eval()
    assert network(torch.rand(3, *shape)).shape == (3, 7)


def test_the_names_read_from_timms_source_are_those_that_timm_gives():
    import timm

    assert mnistarena_timm.architectures() == set(timm.list_models())


def test_a_small_stem_keeps_the_resolution_and_the_number_of_parameters():
    small, original = build("test_resnet"), build("test_resnet", stem="original")
    assert sum(p.numel() for p in small.parameters()) == sum(p.numel() for p in original.parameters())
    sides = [model.forward_features(torch.rand(1, 1, 32, 32)).shape[-1] for model in (small.eval(), original.eval())]
    assert sides == [4, 1]


def test_patches_are_made_small_enough_for_the_image():
    assert mnistarena_timm.patch_sizes(TimmParams(architecture="vit_tiny_patch16_224"), 28, 28)[0] == 4
    assert mnistarena_timm.patch_sizes(TimmParams(architecture="vit_tiny_patch16_224"), 224, 224)[0] == 16
    network = build("vit_tiny_patch16_224", patch_size=14)
    assert network.patch_embed.num_patches == 4


def test_what_cannot_be_made_says_so_with_what_fixes_it():
    with pytest.raises(TrialError, match=r'vgg11 cannot be made for 1 × 28 × 28 .* put \{ name = "resize"'):
        build("vgg11")
    assert 'put { name = "resize", size = 32 }' in MODEL.check(TimmParams(), task(1, 4, 4))


def test_a_misspelt_architecture_is_refused_before_anything_runs_without_torch(tmp_path):
    import timm

    (tmp_path / "spec.toml").write_text(
        "[benchmark]\nname='x'\n[[dataset]]\nname='digits'\n"
        "[[model]]\nname='timm'\nparams={architecture='resnet81'}\ntransforms=[{name='resize', size=28}]\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mnistarena", "validate", "spec.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f'timm {timm.__version__} has no architecture "resnet81"; did you mean "resnet' in done.stderr
    assert " torch\n" not in done.stderr


def test_the_plan_records_timms_version_and_holds_to_it(tmp_path):
    import timm

    context = PrepareContext(tmp_path, download=False)
    prepared = MODEL.prepare(TimmParams(architecture="test_resnet"), context)
    assert prepared.timm_version == timm.__version__
    assert prepared.identity()["timm_version"] == timm.__version__
    with pytest.raises(ArenaError, match=r"timm_version asks for 0\.9"):
        MODEL.prepare(TimmParams(timm_version="0.9"), context)


def test_a_frozen_backbone_leaves_the_last_layer_to_train():
    network = build("test_resnet", freeze="backbone")
    trained = [name for name, p in network.named_parameters() if p.requires_grad]
    assert trained == ["head.weight", "head.bias"]


PRETRAINED = """
import json, sys, torch
import mnistarena_timm as plugin
from mnistarena import PrepareContext, Task
(model,) = plugin.arena_models()
context = PrepareContext(sys.argv[1], download=False)
params = plugin.TimmParams(architecture="test_resnet", weights=["pretrained", "none"])
prepared = model.prepare(params, context)
network = model.build(prepared, Task((1, 28, 28), 10, class_names=tuple("0123456789"), n_train=100))
first = network.conv1[0].weight
print(json.dumps({"weights": prepared.weights, "digest": prepared.weights_digest, "notes": context.notes,
                  "first": first.flatten()[:4].tolist(), "shape": list(first.shape)}))
"""


def prepared_in(cache, tmp_path):
    """In a process of its own, for Hugging Face's client reads where its cache is when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", PRETRAINED, str(tmp_path)],
        env={**os.environ, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_published_weights_are_used_where_they_are_and_fitted_to_grey_images(tmp_path):
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(3)
    original = timm.create_model("test_resnet", num_classes=1000)
    repository = tmp_path / "hub" / f"models--{original.pretrained_cfg['hf_hub_id'].replace('/', '--')}"
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    save_file(original.state_dict(), repository / "snapshots" / "abc" / "model.safetensors")
    found = prepared_in(tmp_path, tmp_path)
    assert found["weights"] == ["pretrained"]
    assert found["digest"][:12] in found["notes"][0]
    grey = original.conv1[0].weight.sum(1, keepdim=True)
    assert found["shape"] == list(grey.shape)
    assert found["first"] == pytest.approx(grey.flatten()[:4].tolist(), rel=1e-5)


def test_published_weights_that_cannot_be_had_are_said_and_the_next_preference_is_used(tmp_path):
    found = prepared_in(tmp_path, tmp_path)
    assert found["weights"] == ["none"]
    assert "timm/test_resnet.r160_in1k is not in Hugging Face's cache and cannot be had" in found["notes"][0]


def test_it_runs_in_a_benchmark(tmp_path):
    (tmp_path / "spec.toml").write_text(
        "[benchmark]\nname='x'\n[[dataset]]\nname='mnist'\ntrain_limit=256\nvalidation=64\ntest_limit=100\n"
        "transforms=['normalize']\n[training]\nsteps=4\n[[model]]\nname='timm'\n"
        "grid={params.architecture=['test_resnet','test_vit','test_efficientnet']}\n"
    )
    command = [sys.executable, "-m", "mnistarena", "run", "spec.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("test_resnet", "test_vit", "test_efficientnet"):
        assert f"timm[architecture={name}] on mnist, seed 0" in done.stdout


@mnistarena.testing.parametrize("timm", params={"architecture": "test_resnet"}, images=64, learning_rate=0.003)
def test_it_keeps_the_promises_of_a_model(check):
    check.run()
