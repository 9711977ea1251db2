"""What is drawn is what is tabled: the coordinates of marks in the SVG, read back through the axes."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from mnistarena.plugin.components import Predictions
from mnistarena.report import view
from mnistarena.report.charts.all import figures
from mnistarena.store.results import read_run

from .synthetic import MODELS, build_run

FILLED, OPEN = "filled", "open"


def points(svg: str, *, named: bool = True) -> list[tuple[str, str, float, float]]:
    """Kind, colour, x and y (pixels) of each point; those at the right edge, where models are `named`, do not count."""
    found = []
    groups = re.findall(r'<g class="mark-symbol role-mark[^>]*>(.*?)</g>', svg, re.DOTALL)
    for group in groups[: -1 if named else None]:
        for x, y, rest in re.findall(r'<path[^>]*? transform="translate\(([-\d.e]+),([-\d.e]+)\)"([^>]*)/>', group):
            fill, stroke = re.search(r' fill="(#\w+)"', rest), re.search(r' stroke="(#\w+)"', rest)
            colour = fill or stroke
            found.append((FILLED if fill else OPEN, colour.group(1), float(x), float(y)))
    return found


def scale(encoding: dict, length: float, *, up: bool):
    """The position of a value on an axis of a Vega-Lite document."""
    of = encoding["scale"]
    constant = of.get("constant", 1.0)
    place = {"log": math.log, "symlog": lambda v: math.log1p(v / constant), "linear": float}[of["type"]]
    first, last = map(place, of["domain"])

    def position(value: float) -> float:
        share = (place(value) - first) / (last - first)
        return (1 - share if up else share) * length

    return position


def width(svg: str) -> float:
    """The width of the frame that holds the marks."""
    return float(re.search(r'<path class="background"[^>]* d="M0,0h([\d.]+)v', svg).group(1))


def drawn_rows(figure, field):
    """The rows of a chart's data that have a field."""
    return [row for rows in figure.spec["datasets"].values() for row in rows if row.get(field)]


def layer_of(figure):
    return next(
        one
        for one in figure.spec["layer"]
        if (one["mark"].get("type") if isinstance(one["mark"], dict) else one["mark"]) == "point"
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Two recipes; one of them is sure and always right, and a third is fitted at once, with a training loss of 0."""
    from . import synthetic

    models = {
        "sure": {"accuracy": 1.0, "spread": 0.0, "seconds": 9.0, "parameters": 10},
        "cnn": {"accuracy": 0.95, "spread": 0.002, "seconds": 5.0, "parameters": 10},
        "knn": {"accuracy": 0.9, "spread": 0.0, "seconds": 1.0, "parameters": 10},
    }
    path = tmp_path_factory.mktemp("charts") / "run"
    drawn = synthetic.predict

    def predict(rng, labels, hardness, accuracy, classes):
        if accuracy < 1:
            return drawn(rng, labels, hardness, accuracy, classes)
        confidence = np.where(np.arange(len(labels)) % 2, 0.9999, 0.97)
        rest = np.repeat(((1 - confidence) / (classes - 1))[:, None], classes, axis=1)
        rest[np.arange(len(labels)), labels] = confidence
        return Predictions(labels, rest, index=np.arange(len(labels)))

    def history(rng, model, epochs, validation):
        rows = before(rng, model, epochs, validation)
        return [{**rows[-1], "epoch": 1, "train_loss": 0.0}] if model["seconds"] == 1.0 else rows

    before = synthetic.history
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(synthetic, "predict", predict)
        patched.setattr(synthetic, "history", history)
        build_run(path, models=models, seeds=2, n=400, entries={"knn": {"training": {}}})
    data = view.build(read_run(path))
    return data, {figure.title: figure for figure in figures(data)}


def test_a_bin_without_an_error_stands_at_its_own_confidence_with_an_open_mark_at_100_percent(report):
    data, charts = report
    figure = charts["Accuracy by confidence"]
    rows = drawn_rows(figure, "said")
    known = {
        (one.label, point.stated, point.wrong) for one in data.comparisons[0].reliabilities for point in one.points
    }
    assert sorted({row["x"] for row in rows if row["model"] == "sure"}) == pytest.approx([0.0001, 0.03], rel=1e-3)
    assert all(
        any(
            row["model"] == label and row["x"] == pytest.approx(s, rel=1e-3) and row["y"] == pytest.approx(w, rel=1e-3)
            for label, s, w in known
        )
        for row in rows
    )
    encoding = layer_of(figure)["encoding"]
    x, y = scale(encoding["x"], width(figure.svg), up=False), scale(encoding["y"], 340, up=False)
    marks = points(figure.svg)
    unique = {(row["model"], row["x"]): row for row in rows}.values()
    assert len(marks) == len(unique)
    for row in unique:
        kind = OPEN if row["open"] else FILLED
        at = (x(row["x"]), 340 - y(row["y"]))
        assert any(k == kind and (px, py) == pytest.approx(at, abs=0.05) for k, _, px, py in marks), row
    assert any("(0 of 200 wrong)" in cell for line in figure.table for cell in line)


def test_a_loss_of_zero_is_drawn_at_zero_and_a_model_fitted_at_once_is_a_level_line(report):
    data, charts = report
    figure = charts["Training loss by epoch"]
    encoding = layer_of(figure)["encoding"]
    assert encoding["y"]["scale"]["domain"][0] == 0
    place = scale(encoding["y"], 1.0, up=False)
    others = [point.mean for point in data.comparisons[0].curves["train_loss"] if point.label != "knn"]
    assert abs(place(min(others)) - place(max(others))) > 0.5, "the other curves keep most of the height"
    drawn = drawn_rows(figure, "bare")
    assert {(row["epoch"], row["y"]) for row in drawn} == {(1, 0.0), (8, 0.0)}
    assert ("knn", "at once", "0.0000", "0.0000 to 0.0000") in figure.table
    assert len(points(figure.svg)) == 16, "no dot for the model that has no epochs"


def test_every_point_of_accuracy_and_time_is_where_the_table_says(report):
    data, charts = report
    figure = charts["Test accuracy against training time"]
    encoding = layer_of(figure)["encoding"]
    x, y = scale(encoding["x"], width(figure.svg), up=False), scale(encoding["y"], 340, up=False)
    marks = points(figure.svg, named=False)
    for point in data.comparisons[0].times:
        at = (x(point.seconds), 340 - y(1 - point.accuracy.estimate))
        assert any((px, py) == pytest.approx(at, abs=0.1) for _, _, px, py in marks), point.label


def test_names_have_the_room_that_the_width_gives(tmp_path):
    name = "a-network-with-a-name-too-long"
    models = dict.fromkeys((name, "cnn"), MODELS["cnn"])
    run = build_run(tmp_path / "run", models=models, seeds=2, n=200, epochs=2)
    drawn = [one for one in figures(view.build(read_run(run))) if one.kind in ("time", "accuracy")]
    assert len(drawn) == 2
    for figure in drawn:
        narrow, *_, wide = (re.findall(rf'<text data-model="{name}"[^>]*>(.*?)</text>', svg)
                            for svg in figure.drawings.values())  # fmt: skip
        assert wide == [name]
        cut, whole = narrow[0].split("…")
        assert name.startswith(cut)
        assert whole == f"<title>{name}</title>"
        assert len(re.findall(rf'<[a-z]+ data-model="{name}"', figure.svg)) >= 3, "what is drawn of it names it"
