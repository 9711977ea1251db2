"""The kit for plugin authors: it names the defect of a broken component, and nothing in one that is sound."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from pydantic import Field

from mnistarena import Dataset, DatasetDef, MetricDef, ModelDef, Params, PluginError, TransformDef
from mnistarena.builtin import corruptions, metrics, transforms, trivial_augment
from mnistarena.builtin.datasets import digits
from mnistarena.testing import Nonconformity, checks, parametrize


class WidthParams(Params):
    """Parameters of a small network."""

    hidden: int = Field(16, ge=1, description="hidden units")


class NoParams(Params):
    """No parameters."""


def layers(params, task):
    from torch import nn

    size = int(np.prod(task.image_shape))
    return [nn.Flatten(), nn.Linear(size, params.hidden), nn.ReLU(), nn.Linear(params.hidden, task.n_classes)]


def model(build=None, **changes):
    def sound(params, task):
        from torch import nn

        return nn.Sequential(*layers(params, task))

    return replace(ModelDef("mlp", "a perceptron", params=WidthParams, build=build or sound), **changes)


def failures(definition, **options):
    """The names of the checks that fail, with their messages; anything but a `Nonconformity` is a crash of the kit."""
    found = {check.name: check.outcome() for check in checks(definition, **options)}
    return {name: outcome.message for name, outcome in found.items() if outcome.status == "failed"}


def with_module(forward):
    """A model whose module is a sound one called through `forward(self, images)`."""

    def build(params, task):
        from torch import nn

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(*layers(params, task))

        Network.forward = forward
        return Network()

    return model(build)


def test_a_sound_model_passes():
    assert failures(model()) == {}


def batch_statistics(self, images):
    return self.layers(images - images.mean(0))


def noise(self, images):
    import torch

    return self.layers(images) + torch.randn(len(images), 1)


def detached(self, images):
    return self.layers[3](self.layers[:3](images).detach())


def with_softmax(self, images):
    return self.layers(images).softmax(1)


def in_place(self, images):
    return self.layers(images.sub_(0.5))


def unseeded(params, task):
    import torch
    from torch import nn

    network = nn.Sequential(*layers(params, task))
    generator = torch.Generator()
    generator.seed()
    with torch.no_grad():
        network[1].weight.uniform_(-0.1, 0.1, generator=generator)
    return network


def hidden_state(params, task):
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*layers(params, task))
            self.shift = torch.randn(task.n_classes)  # neither parameter nor buffer

        def forward(self, images):
            return self.layers(images) + self.shift

    return Network()


def wrong_sign(params, task):
    from torch import nn
    from torch.nn import functional

    class Network(nn.Sequential):
        def training_loss(self, images, labels):
            return -functional.cross_entropy(self(images), labels)

    return Network(*layers(params, task))


def one_class_short(params, task):
    from torch import nn

    return nn.Sequential(*layers(params, task)[:3], nn.Linear(params.hidden, task.n_classes - 1))


def only_large_images(params, task):
    from torch import nn

    c, h, w = task.image_shape
    head = nn.Linear(4 * (h - 6) * (w - 6), task.n_classes)
    return nn.Sequential(nn.Conv2d(c, 4, 7), nn.ReLU(), nn.Flatten(), head)


class Silent(Params):
    """A parameter without a word."""

    hidden: int = 16


def classifier(params, task):
    from sklearn.naive_bayes import GaussianNB

    class Shuffled(GaussianNB):
        def predict_proba(self, images):
            return super().predict_proba(images) * 2

    return Shuffled()


def shared_images(params, context):
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (20, 1, 4, 4)).astype(np.uint8)
    labels = np.arange(20) % 2
    return Dataset(images, labels, test_images=images[3:7], test_labels=labels[3:7], class_names=("a", "b"))


def dark_test_images(params, context):
    images = np.random.RandomState(0).randint(0, 256, (20, 1, 4, 4)).astype(np.uint8)
    labels = np.arange(20) % 2
    return Dataset(
        images[:10], labels[:10], test_images=images[10:] // 200, test_labels=labels[10:], class_names=("a", "b")
    )


def without_a_data_error(params, context):
    return np.load(context.data_dir / "bars.npz")


def brightest(params, task):
    return lambda images, generator: images / images.max()


def one_draw_for_all(params, task):
    import torch

    return lambda images, generator: images * torch.rand(1, generator=generator)


def fixed_draws(params, task):
    import torch

    return lambda images, generator: images * torch.rand(len(images), 1, 1, 1, generator=torch.Generator())


def pipeline_of_its_own(params, task):
    import torch

    random = np.random.default_rng(1)  # goes on from batch to batch, and is in no checkpoint
    return lambda images, generator: images * torch.from_numpy(random.random((len(images), 1, 1, 1), np.float32))


def global_draws(params, task):
    import torch

    return lambda images, generator: images * torch.from_numpy(np.random.rand(len(images), 1, 1, 1)).float()


def error_rate(predictions, params):
    return float((predictions.predicted != predictions.labels).mean())


def parts_of_accuracy(predictions, params):
    return predictions.predicted == predictions.labels


def in_percent(predictions, params):
    return 100 * error_rate(predictions, params)


BROKEN = {
    "needs images it did not ask for": (model(only_large_images), {"check"}, "1 × 1 × 1 images of 2 classes"),
    "one class short": (model(one_class_short), {"check", "output"}, "(7, 9)|(2, 1), not (2, 2)|(1, 9)"),
    "statistics over the batch": (with_module(batch_statistics), {"evaluation-alone"}, "in a batch of 8"),
    "noise in evaluation": (with_module(noise), {"evaluation-repeats"}, "the same images gave other outputs"),
    "detached layers": (with_module(detached), {"gradients"}, "layers.1.weight, layers.1.bias"),
    "softmax before the loss": (with_module(with_softmax), {"logits"}, "return logits"),
    "input changed": (with_module(in_place), {"input-untouched"}, "values of the images were changed in training"),
    "unseeded start": (model(unseeded), {"same-seed"}, "differ by up to"),
    "state outside the state dict": (model(hidden_state), {"state"}, "register_buffer"),
    "wrong sign of the loss": (model(wrong_sign), {"learns"}, "has training_loss the wrong sign"),
    "parameter without description": (model(params=Silent), {"parameters"}, "without a description: hidden"),
    "check that says False": (model(check=lambda params, task: False), {"check"}, "check says False"),
    "claims to be deterministic": (model(deterministic=True), {"deterministic-as-said"}, "another seed"),
    "probabilities above 1": (model(classifier), {"output"}, "not probabilities"),
    "test images in training": (
        DatasetDef("bars", "bars", params=NoParams, load=shared_images),
        {"splits-apart"},
        "4 of 4 test images are training images as well (test image 0 is training image 3",
    ),
    "test images from 0 to 1": (
        DatasetDef("bars", "bars", params=NoParams, load=dark_test_images),
        {"values"},
        "the test images run from 0 to 1, the training images to 25",
    ),
    "missing file": (
        DatasetDef("bars", "bars", params=NoParams, load=without_a_data_error),
        {"loads", "missing-data"},
        "MissingDataError",
    ),
    "transform over the batch": (
        TransformDef("b", "b", params=NoParams, build=brightest),
        {"finite", "image-by-image"},
        "alone",
    ),
    "one draw a batch": (
        TransformDef("b", "b", params=NoParams, build=one_draw_for_all, random=True),
        {"random-as-said"},
        "8 equal images became 8 equal images",
    ),
    "the same draws for each seed": (
        TransformDef("b", "b", params=NoParams, build=fixed_draws, random=True),
        {"random-as-said"},
        "4 seeds gave the same images",
    ),
    "draws of its own": (
        TransformDef("b", "b", params=NoParams, build=pipeline_of_its_own, random=True),
        {"random-as-said", "repeatable"},
        "called twice with the same generator, it gave other images",
    ),
    "global draws": (
        TransformDef("b", "b", params=NoParams, build=global_draws, random=True),
        {"repeatable"},
        "it draws from the global random stream of numpy",
    ),
    "parts of another figure": (
        MetricDef(
            "wrong", "x", params=NoParams, compute=error_rate, higher_is_better=False, per_image=parts_of_accuracy
        ),
        {"parts"},
        "per_image returned values whose mean is",
    ),
    "a share in percent": (
        MetricDef("percent", "x", params=NoParams, compute=in_percent, higher_is_better=False, share=True),
        {"share"},
        "share is True, but the figure is",
    ),
    "wrong direction": (
        MetricDef("error", "share of wrong answers", params=NoParams, compute=error_rate, higher_is_better=True),
        {"direction"},
        "perfect predictions give 0 and random ones 0.9",
    ),
}


@pytest.mark.parametrize("defect", BROKEN)
def test_a_defect_is_named_by_its_own_check_and_by_no_other(defect):
    definition, names, message = BROKEN[defect]
    found = failures(definition)
    assert set(found) == names, found
    assert any(part in text for text in found.values() for part in message.split("|")), found


def test_a_plugin_that_imports_torch_is_told_where(tmp_path, monkeypatch):
    (tmp_path / "arena_heavy.py").write_text(
        "import torch\nfrom mnistarena import ModelDef, Params, hookimpl\n"
        "@hookimpl\ndef arena_models():\n"
        "    return [ModelDef('heavy', 'heavy', params=Params, build=lambda p, t: None)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import arena_heavy

    found = failures(arena_heavy.arena_models()[0])
    assert "importing arena_heavy imports torch" in found["import-without-torch"]
    assert set(found) == {"import-without-torch", "builds"}, "build gives None"
    del sys.modules["arena_heavy"]


def test_expected_failures_are_strict_and_known_by_name():
    found = parametrize(model(unseeded), expected_failures={"same-seed": "drawn from the clock"})
    (mark,) = next(p for p in found.args[1] if p.id == "same-seed").marks
    assert (mark.name, mark.kwargs["strict"], mark.kwargs["raises"]) == ("xfail", True, Nonconformity)
    with pytest.raises(PluginError, match='no check called "sameseed"; there are summary, parameters'):
        parametrize(model(), expected_failures={"sameseed": "?"})


BUILTIN = {
    **{t.name: (t, {}) for kind in (transforms, corruptions, trivial_augment) for t in kind.arena_transforms()},
    **{m.name: (m, {}) for m in metrics.arena_metrics()},
    **{d.name: (d, {}) for d in digits.arena_datasets()},
}
BUILTIN["resize"][1]["params"] = {"size": [12, 20]}
BUILTIN["pad"][1]["params"] = {"size": 40}
BUILTIN["center-crop"][1]["params"] = {"size": [20, 7]}


@pytest.mark.parametrize("name", BUILTIN)
def test_what_is_built_in_keeps_its_promises(name):
    definition, options = BUILTIN[name]
    assert failures(definition, **options) == {}


def test_arena_check_prints_a_line_a_promise_and_fails_where_one_is_broken(arena):
    good = arena("check", "pad", "--set", "size=40", "--shape", "1x28x28")
    assert good.status == 0, good.out + good.err
    assert "passed   shape " in good.out
    assert "pad keeps its promises." in good.out
    bad = arena("check", "pad")
    assert bad.status == 1
    assert "without a default: size" in bad.out
    assert "pad breaks 1 of 12 promises" in bad.err
    unknown = arena("check", "padd")
    assert unknown.status == 2
    assert 'no component called "padd" is installed; did you mean "pad"?' in unknown.err


def trained_by_itself(
    change="", kept="self.register_buffer('shift', torch.zeros(10))", *, uses=("epochs", "batch_size")
):
    """A model with fit(training); `change` is done in each epoch, `kept` in its constructor."""
    import torch
    from torch import nn
    from torch.nn import functional

    def build(params, task):
        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(*layers(params, task))
                exec(kept, {"torch": torch, "self": self})

            def forward(self, images):
                return self.layers(images) + self.shift

            def fit(self, training):
                optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
                state = training.resume() or {"epoch": 0}
                if "optimizer" in state:
                    optimizer.load_state_dict(state["optimizer"])
                for epoch in range(state["epoch"], training.epochs):
                    for images, labels in training.batches(epoch):
                        loss = functional.cross_entropy(self(images), labels)
                        optimizer.zero_grad()
                        loss.backward()
                        optimizer.step()
                        training.step(loss)
                    exec(change, {"torch": torch, "self": self})
                    training.validate()
                    training.checkpoint({"optimizer": optimizer.state_dict(), "epoch": epoch + 1})

        return Network()

    return model(build, uses=uses)


def test_a_model_that_trains_itself_is_checked_by_its_own_training():
    assert failures(trained_by_itself()) == {}
    outside = failures(trained_by_itself("self.shift = self.shift + 0.5 * torch.eye(10)[3]", "self.shift = 0"))
    assert set(outside) == {"state", "resumes"}
    assert "register_buffer" in outside["state"]
    untrained = failures(trained_by_itself("torch.nn.init.zeros_(self.layers[3].weight)"))
    assert set(untrained) == {"learns"}


@pytest.mark.parametrize(
    ("uses", "sentence"),
    [
        (None, "its ModelDef does not say so"),
        (("batch_size", "loss"), "fit(training) read epochs of [training], which"),
    ],
)
def test_settings_that_a_training_reads_and_does_not_declare_are_named_with_what_to_write(uses, sentence):
    (check,) = [check for check in checks(trained_by_itself(uses=uses)) if check.name == "uses"]
    status, message = check.outcome()
    assert status == "failed"
    assert sentence in message
    wanted = ("batch_size", "epochs") if uses is None else ("batch_size", "epochs", "loss")
    assert message.endswith(f"Write uses={wanted} in its ModelDef")


def test_a_module_that_cannot_be_copied_and_a_second_stage_pass_and_lost_attributes_fail():
    def build(params, task, kind):
        import torch
        from torch import nn

        n = task.n_classes

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers, self.late, self.calls = nn.Sequential(*layers(params, task)), nn.Linear(n, n), 0
                self.register_buffer("steps", torch.zeros(()))

            def __deepcopy__(self, memo):
                raise TypeError("there is one of me")

            def forward(self, images):
                found = self.layers(images)
                if kind == "cooling" and self.training:
                    self.calls += 1
                    return found / (1 + self.calls)
                if self.training:
                    self.steps += 1
                return found + self.late(found) if kind == "stages" and self.steps > 5 else found + 0 * self.late(found)

        return Network()

    assert failures(model(lambda params, task: build(params, task, "stages"))) == {}
    cooling = failures(model(lambda params, task: build(params, task, "cooling")))
    assert "resumes" in cooling
    assert "register_buffer" in cooling["resumes"]
