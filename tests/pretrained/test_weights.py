"""Weights that cannot be had never silently become random ones."""

from __future__ import annotations

import hashlib
import socket

import pytest
import torch
import torchvision
from torch import nn

from mnistarena import ArenaError, PrepareContext, Task
from mnistarena.pretrained import FineTunedParams, fine_tuned, imagenet, weights

ENUM = "AlexNet_Weights.IMAGENET1K_V1"
PUBLISHED = imagenet(ENUM)
FILE = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.url.rpartition("/")[2]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torch.hub's cache in an empty folder, on a machine without a network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def unreachable(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def resolve(preferences, context, digest=None):
    return weights.resolve("alexnet", preferences, PUBLISHED, digest, context)


@pytest.fixture
def context(tmp_path):
    return PrepareContext(tmp_path)


def test_without_imagenet_the_run_stops_and_says_what_to_write(hub, context):
    with pytest.raises(ArenaError) as caught:
        resolve(["imagenet"], context)
    assert FILE in str(caught.value)
    assert "download failed" in str(caught.value)
    assert 'weights = ["imagenet", "none"]' in str(caught.value)


def test_the_next_preference_is_used_and_noted_with_the_reason(hub, context, capsys):
    assert resolve(["imagenet", "missing.pth", "none"], context) == ("none", None)
    assert "Downloading" not in capsys.readouterr().out, "a command's output may be JSON"
    (note,) = context.notes
    assert "trained from scratch" in note
    assert "imagenet" in note
    assert "missing.pth" in note


def test_weights_in_torchvisions_cache_are_used_with_their_digest(hub, context):
    torch.save(Net(1000).state_dict(), hub / FILE)
    digest = hashlib.sha256((hub / FILE).read_bytes()).hexdigest()
    assert resolve(["imagenet", "none"], context) == ("imagenet", digest)
    assert digest[:12] in context.notes[0]
    with pytest.raises(ArenaError, match="but weights_digest says"):
        resolve(["imagenet"], context, digest="0" * 64)


class Net(nn.Module):
    def __init__(self, n_classes, width=4):
        super().__init__()
        self.body = nn.Linear(3, width)
        self.head = nn.Linear(width, n_classes)


def test_a_local_state_dict_is_loaded_whole(hub, context, tmp_path):
    source, target = Net(10), Net(10)
    torch.save(source.state_dict(), tmp_path / "own.pth")
    name, digest = resolve(["own.pth"], context)
    weights.apply_state(target, weights.load_state("x", name, PUBLISHED, digest), "head", name)
    assert torch.equal(target.head.weight, source.head.weight)


def test_a_file_that_changes_after_the_plan_is_refused(hub, context, tmp_path):
    torch.save(Net(10).state_dict(), tmp_path / "own.pth")
    name, digest = resolve(["own.pth"], context)
    torch.save(Net(10).state_dict(), tmp_path / "own.pth")
    with pytest.raises(ArenaError, match="has changed"):
        weights.load_state("x", name, PUBLISHED, digest)


def test_imagenets_last_layer_is_left_out():
    source, target = Net(1000), Net(10)
    fresh = target.head.weight.clone()
    weights.apply_state(target, source.state_dict(), "head", "imagenet")
    assert torch.equal(target.body.weight, source.body.weight)
    assert torch.equal(target.head.weight, fresh)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [(Net(7), "are for 7 classes; the task has 10"), (Net(10, width=5), "another architecture: body.weight has shape")],
)
def test_weights_that_do_not_fit_are_named(source, sentence):
    with pytest.raises(ArenaError, match=sentence):
        weights.apply_state(Net(10), source.state_dict(), "head", "own.pth")


def test_a_file_that_is_no_state_dict_is_refused_and_never_unpickled(tmp_path):
    (tmp_path / "noise.pth").write_bytes(b"not torch")
    with pytest.raises(ArenaError, match=r"noise\.pth is not a readable state dict"):
        weights.read_state(tmp_path / "noise.pth")
    torch.save(Net(10).state_dict(), tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:500])
    with pytest.raises(ArenaError, match=r"cut\.pth is not a readable state dict"):
        weights.read_state(tmp_path / "cut.pth")
    torch.save({"model": Net(10)}, tmp_path / "code.pth")
    with pytest.raises(ArenaError, match=r"code\.pth is not a readable state dict"):
        weights.read_state(tmp_path / "code.pth")


def test_a_spec_that_wants_weights_which_cannot_be_had_stops_before_training(arena, write_spec, tmp_path):
    spec = write_spec(
        """
        [benchmark]
        name = "x"
        [[dataset]]
        name = "digits"
        transforms = [{ name = "resize", size = 64 }, "to-rgb", "normalize"]
        [[model]]
        name = "alexnet"
        params = { weights = ["nowhere.pth"] }
        """
    )
    result = arena("run", spec)
    assert result.status == 2
    assert "tiny.toml:9: " in result.err
    assert "nowhere.pth" in result.err
    assert not (tmp_path / "runs").exists()


def test_the_model_it_makes_builds_what_was_resolved(hub, context, tmp_path):
    model = fine_tuned("alexnet", "x", enum=ENUM, head="classifier.6", least_size=63)
    task = Task((3, 64, 64), 10, class_names=tuple("0123456789"), n_train=1)
    torch.manual_seed(1)
    trained = model.build(model.params(weights=["none"]), task)
    torch.save(trained.state_dict(), tmp_path / "own.pth")
    params = model.prepare(model.params(weights=["imagenet", "own.pth"]), context)
    torch.manual_seed(2)
    again = model.build(params, task)
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), again.parameters(), strict=True))


def test_a_local_file_that_is_there_but_damaged_stops_the_plan_and_is_not_passed_over(hub, context, tmp_path):
    (tmp_path / "own.pth").write_bytes(b"not torch")
    with pytest.raises(ArenaError, match=r"own\.pth is not a readable state dict"):
        resolve(["own.pth", "none"], context)
    assert not context.notes


@pytest.mark.parametrize("name", ["imagenet", "/nowhere/own.pth"])
def test_weights_that_vanish_after_the_plan_are_an_error_in_a_sentence(hub, name):
    with pytest.raises(ArenaError, match="are missing since the plan was made"):
        weights.load_state("alexnet", name, PUBLISHED, None)


def test_a_digest_that_is_none_is_refused():
    with pytest.raises(ValueError, match="weights_digest"):
        FineTunedParams(weights_digest="ABC")


def test_where_the_weights_lie_is_no_part_of_a_trials_identity():
    own = FineTunedParams(weights=["/here/own.pth"], weights_digest="a" * 64)
    moved = FineTunedParams(weights=["/there/own.pth"], weights_digest="a" * 64)
    other = FineTunedParams(weights=["/here/own.pth"], weights_digest="b" * 64)
    assert own.identity() == moved.identity()
    assert own.identity() != other.identity()


def test_a_file_that_was_brought_from_another_machine_is_found_by_its_digest(tmp_path, monkeypatch):
    file = tmp_path / "brought.pth"
    torch.save({"weight": torch.ones(2)}, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(ArenaError, match="are missing since the plan was made: there is no file /nowhere/original"):
        weights.load_state("x", "/nowhere/original.pth", {}, digest)
    monkeypatch.setitem(weights.brought, digest, file)
    assert weights.load_state("x", "/nowhere/original.pth", {}, digest)["weight"].tolist() == [1, 1]


def test_a_plan_knows_the_files_that_build_reads(tmp_path, context):
    file = tmp_path / "start.pth"
    torch.save({"weight": torch.ones(2)}, file)
    _, digest = resolve(["start.pth"], context)
    assert context.files == {digest: file}
