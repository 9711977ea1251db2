"""The section on searches: what stands in it, what is drawn, and that no report needs a search to have ended."""

from __future__ import annotations

import html
import io
import json
import re

import pytest
from rich.console import Console

from mnistarena.cli.leaderboard import print_summary
from mnistarena.errors import StoreError
from mnistarena.evidence.searches import edge, short_names
from mnistarena.report.charts.all import figures
from mnistarena.report.names import shortened
from mnistarena.report.view import build
from mnistarena.report.watch import Watched, version_of
from mnistarena.report.write import write_report
from mnistarena.store.results import read_run

from .searched import SPACE, repeat, search, tried
from .synthetic import MODELS, build_run
from .test_charts import FILLED, OPEN, layer_of, points, scale, width

TWO = {label: MODELS[label] for label in ("cnn", "vit-8")}
SMALL = {"models": TWO, "n": 120, "seeds": 2, "epochs": 2}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One model was searched, with failed and pruned trials; the other stands as the spec has it."""
    trials = tried(12, failed=2, pruned=2, optimum=0.1)
    path = build_run(
        tmp_path_factory.mktemp("search") / "run", **SMALL, search={"cnn": search(repeat(trials), own=True)}
    )
    write_report(path)
    return path, trials


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """One search found nothing, the other goes on: no recipe has a trial."""
    return build_run(
        tmp_path_factory.mktemp("unfinished") / "run",
        **SMALL,
        search={"cnn": search(repeat(tried(20, failed=20))), "vit-8": search(repeat(tried(7), ended=False))},
    )


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<(script|style)[^>]*>.*?</\1>|<[^>]+>", " ", page, flags=re.S)).split())


def test_page_and_markdown_say_what_was_tried_and_chosen(written):
    path, trials = written
    best = max((one for one in trials if one["status"] == "done"), key=lambda one: one["value"])
    row = build(read_run(path)).comparisons[0].search.rows[0]
    assert row.choices[0].value == best["value"] == row.validation
    assert [setting.name for setting in row.choices[0].settings][:3] == ["lr", "width", "optimizer"]
    page, marked = (path / "report.html").read_text(), (path / "report.md").read_text().replace("\\", "")
    for said in (
        f"lr = {best['point']['training.optimizer.lr']:.4g}, width = {best['point']['params.width']}",
        f"trial {trials.index(best) + 1} of 12: {100 * best['value']:.2f}\u202f%",
        "2 of 12 trials of cnn failed: RuntimeError: mat1 and mat2 shapes cannot be multiplied.",
        "Not searched, so as the spec has it: vit-8.",
        "Verdicts hold for the chosen recipes; another search might choose others.",
    ):
        assert " ".join(said.split()) in text_of(page)
        assert said in marked
    assert "its plugin's space" in html.unescape(page)
    spent = sum(one.get("seconds", 0.0) for one in trials)
    costs = {one.label: one.search_seconds for one in build(read_run(path)).comparisons[0].costs}
    assert costs == {"cnn": pytest.approx(spent), "vit-8": None}
    assert "Its search" in page[page.index('id="cost"') :]
    assert f"{100 * row.test:.2f}" in page
    assert row.gap == pytest.approx(best["value"] - row.test)


def test_every_drawn_point_is_a_tabled_number(written):
    charts = [one for one in figures(build(read_run(written[0]))) if one.kind in ("budget", "slice")]
    assert [one.title for one in charts][1:] == ["cnn: lr", "cnn: width", "cnn: optimizer", "cnn: momentum"]
    for figure in charts:
        drawing = figure.drawings[max(figure.widths)] if figure.kind == "budget" else figure.svg
        encoding, height = layer_of(figure)["encoding"], figure.spec["height"]
        y = scale(encoding["y"], height, up=False)
        marks = points(drawing, named=figure.kind == "budget")
        assert len(marks) == len(figure.table)
        named = figure.head.index("Expected best" if figure.kind == "budget" else "Validation accuracy")
        for line in figure.table:
            error = 1 - float(line[named].removesuffix("\u202f%")) / 100
            near = [one for one in marks if one[3] == pytest.approx(height - y(error), abs=height * 0.005 + 0.1)]
            if encoding["x"]["scale"]["type"] != "point":
                x = scale(encoding["x"], width(drawing), up=False)
                near = [one for one in near if one[2] == pytest.approx(x(float(line[1])), abs=0.5)]
            assert near, (figure.title, line)
            if figure.kind == "slice":
                assert {one[0] for one in near} >= {OPEN if line[3] == "pruned" else FILLED}
        if figure.title == "cnn: lr":
            told = re.findall(r'data-told="[^"]*?lr: ([\d.e-]+)', drawing)
            assert sorted(told) == sorted(line[1] for line in figure.table), "every digit of what a mark says"
            assert ">0.001</text>" in drawing
        assert figure.kind == "budget" or "chosen" in {line[3] for line in figure.table} or "momentum" in figure.title


def test_the_expected_best_of_all_trials_is_the_chosen_value(written):
    path, trials = written
    row = build(read_run(path)).comparisons[0].search.rows[0]
    known = [one["value"] for one in trials if one["status"] == "done"]
    assert len(row.budgets) == 12
    assert row.budgets[0].expected == pytest.approx(sum(known) / len(known))
    assert row.budgets[-1].expected == pytest.approx(row.choices[0].value)


def test_each_seed_of_several_searches_has_one_of_its_own(tmp_path):
    searches = search(*(repeat(tried(6, seed=seed)) for seed in range(2)))
    path = build_run(tmp_path / "run", **SMALL, search={"cnn": searches})
    view = build(read_run(path))
    found = view.comparisons[0].search
    assert "intervals include the luck of the search" in found.answer
    assert "intervals include the luck of the search" in view.comparisons[0].answers["certainty"]
    assert (len(found.rows[0].choices), found.rows[0].tried, len(found.rows[0].budgets)) == (2, 12, 6)
    assert {found.rows[0].name(one) for one in found.rows[0].attempts} >= {"1.1", "2.6"}
    assert "(what the first search chose; the others differ)" in view.recipes[0].params


def test_nothing_needs_a_search_that_has_ended(unfinished, arena):
    before = version_of(unfinished)
    written = write_report(unfinished, latex=True, paper=True)
    cause = "RuntimeError: mat1 and mat2 shapes cannot be multiplied"
    nothing = f"The search of cnn found nothing: all 20 trials failed: {cause}."
    going = "The search of vit-8 has chosen nothing yet: 7 of 20 trials tried."
    view = build(read_run(unfinished))
    assert view.comparisons[0].headline.endswith(f"so there is nothing to compare. {nothing} {going}")
    assert view.failure_answer == f"No recipe is known yet. {nothing} {going}"
    for path in written[:2]:
        assert nothing in text_of(path.read_text().replace("\\", ""))
    watched = Watched(unfinished)
    assert nothing in text_of(watched.page().content.decode())
    assert watched.news()["note"] == "0 of 0 trials finished; 2 searches without a choice; refreshed as trials end"
    found = (unfinished / "searches.json").read_text()
    (unfinished / "searches.json").write_text(f"{found} ")
    assert version_of(unfinished) != before
    console = Console(record=True, width=300, file=io.StringIO())
    print_summary(console, read_run(unfinished), {"cnn", "vit-8"})
    assert nothing in console.export_text()
    for command in (("verify", unfinished), ("export", unfinished), ("compare", unfinished, unfinished)):
        done = arena(*command)
        assert done.status in (0, 1), done.err
    done = arena("site", unfinished.parent, "--output", unfinished.parent / "site")
    assert done.status == 0, done.err
    assert "The search of cnn found nothing" in (unfinished.parent / "site" / "index.html").read_text()


def test_a_recipe_that_lost_its_search_is_named_in_a_comparison(unfinished, written, arena):
    done = arena("compare", written[0], unfinished)
    assert "its search has chosen nothing in the second run" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("parameter", "value", "wanted"),
    [
        ({"low": 1e-4, "high": 0.1, "log": True}, 0.0999, "upper"),
        ({"low": 1e-4, "high": 0.1, "log": True}, 0.00105, ""),
        ({"low": 1e-4, "high": 0.1, "log": True}, 1.05e-4, "lower"),
        ({"low": 0.0, "high": 1.0}, 0.0105, ""),
        ({"low": 0.0, "high": 1.0}, 0.995, "upper"),
        ({"low": 8, "high": 64, "integer": True}, 8, "lower"),
        ({"low": 8, "high": 64, "integer": True}, 9, ""),
        ({"low": 1, "high": 2, "integer": True}, 1, ""),
        ({"low": 3, "high": 3}, 3, ""),
        ({"values": [16, 32, 64]}, 64, "upper"),
        ({"values": [16, 32, 64]}, 32, ""),
        ({"values": [16, 32]}, 32, ""),
        ({"values": [16, "auto", 64]}, 64, ""),
        ({"values": ["a", "b", "c"]}, "c", ""),
        ({"values": [False, True]}, True, ""),
    ],
)
def test_a_value_at_an_end_of_what_was_searched_is_known(parameter, value, wanted):
    assert edge({"name": "x", **parameter}, value) == wanted


def test_short_names_tell_parameters_apart():
    assert list(short_names(SPACE).values()) == ["lr", "width", "optimizer", "momentum"]
    names = [{"name": name} for name in ("params.width", "params.head.width", "training.loss.name", "training.name")]
    assert short_names(names) == {
        "params.width": "params.width",
        "params.head.width": "head.width",
        "training.loss.name": "loss",
        "training.name": "training",
    }


def test_a_search_of_a_grids_recipe_has_its_short_name(tmp_path):
    labels = ["cnn[width=8,norm=true]", "cnn[width=16,norm=true]"]
    models = dict.fromkeys(labels, MODELS["cnn"])
    path = build_run(tmp_path / "run", **{**SMALL, "models": models}, search={labels[0]: search(repeat(tried(3)))})
    run, _ = shortened(read_run(path))
    assert [one["label"] for one in run.plan["searches"]] == ["cnn · width 8"]
    assert [one["label"] for one in run.searches["searches"]] == ["cnn · width 8"]
    assert build(read_run(path), short=True).comparisons[0].search.rows[0].choices


def test_a_choice_that_is_not_there_is_named(tmp_path):
    path = build_run(tmp_path / "run", **SMALL, search={"cnn": search(repeat(tried(3)))})
    found = json.loads((path / "searches.json").read_text())
    found["searches"][0]["repeats"][0]["chosen"] = 3
    (path / "searches.json").write_text(json.dumps(found))
    with pytest.raises(StoreError, match="chose a trial that it does not have"):
        read_run(path)
