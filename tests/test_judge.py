"""`mnistarena.judge`: arrays alone give the verdicts and the report that a run gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mnistarena
from mnistarena import ArenaError


def probabilities(labels, n_classes, seed, sure=2.0):
    """What a model that is right of most images says."""
    random = np.random.RandomState(seed)
    scores = random.normal(size=(len(labels), n_classes))
    scores[np.arange(len(labels)), labels] += sure
    scores = np.exp(scores)
    return scores / scores.sum(axis=1, keepdims=True)


LABELS = np.random.RandomState(0).randint(0, 3, 90)
GOOD = [probabilities(LABELS, 3, seed, sure=4.0) for seed in range(3)]
BAD = [probabilities(LABELS, 3, 10 + seed, sure=0.5) for seed in range(3)]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    return mnistarena.judge(LABELS, {"good": GOOD, "bad": BAD}, out=tmp_path_factory.mktemp("judged") / "run")


def test_verdicts_and_leaderboard(judged):
    assert judged.complete
    (pair,) = judged.pairs().to_dict("records")
    assert (pair["a"], pair["b"], pair["verdict"]) == ("good", "bad", "better")
    board = judged.leaderboard()
    assert list(board["label"]) == ["good", "bad"]
    accuracies = [np.mean([(one.argmax(axis=1) == LABELS).mean() for one in of]) for of in (GOOD, BAD)]
    assert board["accuracy"].tolist() == pytest.approx(accuracies, abs=1e-12)
    assert "good" in judged._repr_html_()


def test_it_is_a_run_folder_like_any_other(judged, arena):
    pd.testing.assert_frame_equal(mnistarena.load_run(judged.path).pairs(), judged.pairs())
    assert all(finding.ok for finding in judged.verify(sample=1))
    page, text = (path.read_text() for path in judged.report())
    assert "Which images do they get wrong?" in page
    assert 'data:image/png;base64,"' not in page, "no picture of an image that is not there"
    assert "90 test images" in text
    shown = arena("report", judged.path, "--summary")
    assert (shown.status, "good is the most accurate" in shown.out) == (0, True)


def test_names_images_and_groups(tmp_path):
    names = np.array(["cat", "dog", "eel"])
    said = {"good": GOOD, "classes": [names[of.argmax(axis=1)] for of in BAD]}
    images = np.random.RandomState(0).randint(0, 256, (90, 8, 8)).astype(np.uint8)
    found = mnistarena.judge(
        names[LABELS].tolist(),
        said,
        images=images,
        names=[f"patient {number // 3}.png" for number in range(90)],
        groups=[f"patient {number // 3}" for number in range(90)],
        decide="f1_macro",
        metrics=["f1_macro", "log_loss"],
        margin="1 pp",
        out=tmp_path / "run",
    )
    assert found.plan["datasets"][0]["class_names"] == ["cat", "dog", "eel"]
    assert found.plan["datasets"][0]["test_groups"] == 30
    assert found.pairs()["verdict"].tolist() == ["better"]
    assert [trial.metrics["log_loss"] is None for trial in found.trials] == [False] * 3 + [True] * 3
    page = found.report(markdown=False)[0].read_text()
    assert "data:image/png;base64,iVBOR" in page
    assert "patient 1.png" in page


def test_one_array_is_one_seed_and_a_deterministic_model_needs_no_more(tmp_path):
    given = {"a": GOOD[0], "b": BAD[0].tolist()}
    assert mnistarena.judge(LABELS, given, out=tmp_path / "a").pairs()["of"].tolist() == ["trained models"]
    found = mnistarena.judge(LABELS, given, deterministic=["a", "b"], out=tmp_path / "b")
    assert found.pairs()["of"].tolist() == ["recipes"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"predictions": {"a": GOOD[0][:-1]}}, '"a": the array of seed 0 has 89 rows for 90 test images'),
        ({"predictions": {"a": [GOOD[0], GOOD[1] * 1.01]}}, "array of seed 1, row 0: the probabilities sum to 1.01"),
        ({"predictions": {"a": np.log(GOOD[0])}}, "if these are logits, take their softmax"),
        (
            {"predictions": {"a": [0] * 89 + [7]}, "class_names": "xyz"},
            'row 89: the predicted class is "7", which is no',
        ),
        ({"predictions": {"a": GOOD[0]}, "baseline": "b"}, 'no model is labelled "b"; labels: a'),
        ({"predictions": {"a": GOOD[0]}, "decide": "f1"}, 'no metric is labelled "f1"'),
        ({"predictions": {"a": GOOD[0]}, "names": ["one"]}, "there are 1 names for 90 labels in y_true"),
        ({"predictions": {"a": GOOD[0], "b": GOOD[0][:, :2]}}, "predictions are of 2 and of 3 classes"),
        ({"predictions": {}}, "nothing to run"),
        ({"predictions": {"a": GOOD[0]}, "y_true": LABELS + 1}, 'y_true, row .*: the class is "3", which is no class'),
        ({"predictions": {"a": [[0, 1], [1]]}}, "list cannot be read as an array"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments, problem, tmp_path):
    with pytest.raises(ArenaError, match=problem):
        mnistarena.judge(**{"y_true": LABELS, **arguments}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
