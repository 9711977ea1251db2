"""A trained model used again: restored from its run folder, it says what it said, and of new pictures too."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mnistarena.data.images import ImageRules, read_picture
from mnistarena.errors import StoreError
from mnistarena.inference import restore as restoring
from mnistarena.inference.find import find_trial
from mnistarena.inference.provenance import identity_of
from mnistarena.inference.restore import restore
from mnistarena.pretrained import FineTunedParams
from mnistarena.pretrained.weights import without_weights
from mnistarena.store.results import read_run


def no_warning(sentence):
    raise AssertionError(sentence)


@pytest.mark.parametrize("label", ["cnn", "logistic-regression"])
def test_a_restored_model_predicts_what_is_stored(tiny_run, label):
    run = read_run(tiny_run)
    trial = find_trial(run, label)
    restored = restore(run, trial, warn=no_warning)
    found = restored.probabilities(run.test_split("mnist")["images"])
    np.testing.assert_allclose(found, trial.predictions().probabilities, rtol=0, atol=1e-6)


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_altered_weights_are_refused(run):
    path = next(run.glob("trials/cnn-*-s0-*/model.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    found = read_run(run)
    with pytest.raises(StoreError, match="was altered"):
        restore(found, find_trial(found, "cnn"))


def test_a_plan_without_statistics_says_to_run_the_spec_again(run):
    edit(run / "plan.json", lambda plan: plan["datasets"][0].pop("mean"))
    found = read_run(run)
    with pytest.raises(StoreError, match="run the spec again"):
        restore(found, find_trial(found, "cnn"))


def test_another_plugin_code_is_a_warning(run, monkeypatch):
    found, said = read_run(run), []
    trial = find_trial(found, "cnn")
    asked = identity_of(trial)
    source = next(name for name in asked["sources"] if name.startswith("mnistarena-cnn:"))
    asked["sources"][source] = "another"
    monkeypatch.setattr(restoring, "identity_of", lambda trial: asked)
    restore(found, trial, warn=said.append)
    assert len(said) == 1
    assert f"the code of {source} has changed since cnn on mnist, seed 0 ran" in said[0]


def test_a_file_of_trained_weights_is_not_needed_again():
    params = without_weights(FineTunedParams(weights=["/gone.safetensors"], weights_digest="0" * 64))
    assert (params.weights, params.weights_digest) == (["none"], None)


@pytest.fixture
def predict(arena, tiny_run):
    """`arena predict`: status, standard output, standard error."""

    def call(*arguments, run=tiny_run):
        done = arena("predict", run, *arguments)
        return done.status, done.out, done.err

    return call


@pytest.fixture
def digit(tiny_run):
    """A test image, uint8 (28, 28), and the class and probabilities that are stored for it."""
    run = read_run(tiny_run)
    stored = find_trial(run, "cnn").predictions()
    at = int(stored.probabilities.max(1).argmax())
    return run.test_split("mnist")["images"][at, 0], str(stored.predicted[at]), stored.probabilities[at]


def test_a_test_image_as_a_file_is_predicted_as_it_was(predict, digit, tmp_path):
    pixels, said, stored = digit
    Image.fromarray(pixels).save(tmp_path / "a.png")
    status, out, _ = predict("cnn", tmp_path / "a.png", "--json", "--top", 2)
    shown = json.loads(out)
    (row,) = shown["images"]
    assert (status, shown["seed"], row["class"], row["notes"]) == (0, 0, said, [])
    assert row["probability"] == pytest.approx(stored.max(), abs=1e-6)
    assert [one["probability"] for one in row["runners_up"]] == pytest.approx(np.sort(stored)[-2:-1], abs=1e-6)


def test_dark_ink_on_white_paper_is_warned_of_and_inverted_when_asked(predict, digit, tmp_path):
    pixels, said, _ = digit
    paper = Image.fromarray(255 - pixels).convert("RGB").resize((280, 280))
    paper.save(tmp_path / "paper.jpg", quality=95)
    _, out, err = predict("cnn", tmp_path / "paper.jpg")
    assert "paper.jpg; dark ink on white paper needs --invert" in err
    assert "cnn on mnist, seed 0" in out
    status, out, err = predict("cnn", tmp_path / "paper.jpg", "--invert", "--json")
    (row,) = json.loads(out)["images"]
    assert (status, err, row["class"]) == (0, "", said)
    assert row["notes"] == ["made grey", "resized from 280 × 280 to 28 × 28", "inverted"]


def test_an_unreadable_image_is_named_and_the_others_are_predicted(predict, digit, tmp_path):
    Image.fromarray(digit[0]).save(tmp_path / "good.png")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no image")
    paths = [tmp_path / name for name in ("cut.png", "text.png", "good.png", "gone.png")]
    status, out, err = predict("cnn", *paths, "--json")
    shown = json.loads(out)
    assert status == 1
    assert [row["file"] for row in shown["images"]] == [str(tmp_path / "good.png")]
    assert [one["file"] for one in shown["unreadable"]] == [str(paths[i]) for i in (0, 1, 3)]
    assert "text.png: not an image that Pillow reads" in err
    assert "gone.png: there is no such file" in err


def test_sixteen_bits_and_transparency_become_eight_bits_on_white(tmp_path):
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "deep.png")
    assert read_picture(tmp_path / "deep.png", ImageRules(1, (4, 4), depth="scale")).image.max() == 40_000 // 257
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    clear = read_picture(tmp_path / "clear.png", ImageRules(3, (4, 4)))
    assert clear.image.shape == (3, 4, 4)
    assert clear.image.min() == 255
    assert clear.notes == ("put on white where transparent",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cnm"], 'no model labelled "cnm"; did you mean "cnn"?'),
        (["cnn", "--dataset", "mnits"], 'on a dataset labelled "mnits"; did you mean "mnist"?'),
        (["cnn", "--seed", 7], "has no seed 7; it has 0, 1"),
    ],
)
def test_what_the_run_does_not_have_is_named(predict, arguments, message):
    label, *options = arguments
    status, _, err = predict(label, "x.png", *options)
    assert status == 2
    assert message in err


def test_without_a_stored_model_or_a_finished_trial_it_says_what_to_do(predict, run):
    next(run.glob("trials/cnn-*-s0-*/model.safetensors")).unlink()
    status, _, err = predict("cnn", "x.png", run=run)
    assert status == 2
    assert "keep_models = true, arena run SPEC --only" in err
    shutil.rmtree(next(run.glob("trials/cnn-*-s1-*")))
    assert "seed 1 is pending; finish it with: arena run SPEC" in predict("cnn", "x.png", "--seed", 1, run=run)[2]


def test_a_label_on_two_datasets_needs_one_to_be_chosen(predict, run):
    def double(plan):
        for key, field in (("datasets", "label"), ("entries", "dataset"), ("trials", "dataset")):
            plan[key] += [{**entry, field: "other"} for entry in plan[key]]

    edit(run / "plan.json", double)
    assert "choose with --dataset: mnist, other" in predict("cnn", "x.png", run=run)[2]
