"""Another reference or margin on the page: what it then shows is what a run shows whose spec fixed these."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mnistarena.report.explore import explore, explore_all
from mnistarena.report.render import render_html
from mnistarena.report.view import ReportData, build
from mnistarena.report.write import write_report
from mnistarena.store.results import read_run

from .synthetic import MODELS, build_run
from .visits import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OPTIONS: dict[str, Any] = {
    "models": {**MODELS, "close": {**MODELS["cnn"], "accuracy": 0.9922}},
    "validation": 0,
    "epochs": 1,
    "n": 1000,
}


def view(path: Path, **options: Any) -> ReportData:
    return build(read_run(build_run(path, **{**OPTIONS, **options})))


@pytest.mark.parametrize(("decide", "margin"), [("accuracy", 0.001), ("log_loss", 0.05)])
def test_verdicts_at_a_margin_are_those_of_a_run_with_that_margin(tmp_path: Path, decide: str, margin: float) -> None:
    found = view(tmp_path / "run", decide=decide, margin=margin)
    choices = explore(found.comparisons[0], found.figure, found.margin, looks=False)
    assert choices is not None
    different = set()
    for at, factor in ((4, 1), (8, 10)):
        chosen = choices.margins[at]
        assert chosen.margin == pytest.approx(factor * margin)
        other = view(tmp_path / f"run-{at}", decide=decide, margin=chosen.margin).comparisons[0]
        assert chosen.verdicts == tuple(pair.verdict for pair in other.pairs)
        assert chosen.places == tuple(row.place for row in other.rows)
        assert chosen.cuts == tuple(row.cut for row in other.rows)
        assert chosen.answer == other.answers["pairs"]
        different.add(chosen.verdicts)
    assert len(different) > 1


def test_a_margin_that_decided_the_seeds_stays(five: Path) -> None:
    found = build(read_run(five))
    comparison = found.comparisons[0]
    choices = explore(comparison, found.figure, found.margin, looks=True)
    assert choices is not None
    assert [one.margin for one in choices.margins] == [found.margin]
    assert choices.margins[0].verdicts == tuple(pair.verdict for pair in comparison.pairs)
    assert set(choices.able) == set(MODELS)


def test_where_nothing_was_compared_nothing_can_be_moved(tmp_path: Path) -> None:
    models = {"cnn": MODELS["cnn"], "vit-8": MODELS["vit-8"]}
    choices = explore_all(view(tmp_path, seeds=1, models=models, n=100))
    assert (choices.datasets, choices.references, choices.limits) == ((None,), (), ())


def test_of_too_many_pairs_the_page_says_that_nothing_can_be_moved(
    five: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnistarena.report.explore.MOST_PAIRS", 9)
    found = build(read_run(five))
    choices = explore_all(found)
    assert choices.datasets == (None,)
    page = render_html(found, ())
    assert "Too many pairs to move the reference or the margin: mnist." in page
    assert "data-exploration>" not in page


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same trials under two specs: baseline cnn and 0.1 pp; baseline vit-8 and 1 pp."""
    folder = tmp_path_factory.mktemp("specs")
    found = []
    for baseline, margin in (("cnn", 0.001), ("vit-8", 0.01)):
        path = build_run(folder / baseline, **OPTIONS, baseline=baseline, margin=margin)
        write_report(path, markdown=False)
        found.append(path)
    return found[0], found[1]


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One page for many tests: a new one is a new process of Chromium."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


@pytest.fixture
def page(tab: Page, specs: tuple[Path, Path]) -> Iterator[Page]:
    """The page of the first spec, loaded anew; the console stays empty."""
    visit = opened(tab, specs[0])
    yield tab
    assert visit.complaints == []


def shown(page: Page) -> list[list[str]]:
    """What a leaderboard says of each model that depends on the reference or the margin, and the table of pairs."""
    board = page.locator("table.board tbody tr").evaluate_all(
        "rows => rows.map(row => [row.dataset.model, row.dataset.words, row.classList.contains('cut'),"
        " ...['.place', '.against'].map(one => row.querySelector(one).textContent)])"
    )
    pairs = page.locator("table.pairs tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.className + cell.textContent))"
    )
    return [*board, *pairs, [page.locator("th.whom").inner_text(), page.locator("#pairs .answer").inner_text()]]


def drawn(page: Page) -> list[list[float]]:
    """The differences as they are drawn: where zero is, the low end of the interval, and the mark (left sides)."""
    return page.locator("td.apart svg").evaluate_all(
        "all => all.map(one => ['.zero', 'line.own', 'circle.own'].flatMap(part => { const found ="
        " one.querySelector(part); return found ? [found.getBoundingClientRect().x] : []; }))"
    )


@pytest.mark.browser
def test_an_explored_page_shows_what_the_page_of_that_spec_does(tab: Page, specs: tuple[Path, Path]) -> None:
    other = opened(tab, specs[1])
    wanted = shown(tab)
    assert other.complaints == []
    visit = opened(tab, specs[0])
    page = visit.page
    fixed = shown(page)
    page.locator("[data-reference]").select_option("vit-8")
    page.locator("[data-margin]").select_option(label="1\u202fpp")
    explored = shown(page)
    assert explored[-1][0].startswith("Against vit-8")
    assert explored[:-1] == wanted[:-1]
    assert explored[-1][1] == wanted[-1][1]
    assert explored != fixed
    signs = [re.search(r"[+−]|$", row[4]) for row in explored if len(row) == 5]
    for own, sign in zip(drawn(page), signs, strict=True):
        assert len(own) == (3 if sign[0] else 1)  # the reference has no difference to itself
        assert not sign[0] or (own[2] > own[0]) == (sign[0] == "+")
    page.get_by_role("button", name="Return to the spec's").click()
    assert shown(page) == fixed
    assert visit.complaints == []


@pytest.mark.browser
def test_what_was_explored_is_marked_until_one_returns(page: Page) -> None:
    bar = page.locator(".explored > div")
    assert "The spec's: baseline cnn, margin 0.1\u202fpp" in page.locator(".rail").inner_text()
    assert page.locator(".mark:visible, .explored > div:visible").count() == 0
    page.locator("[data-reference]").select_option("vgg16")
    assert bar.is_visible()
    assert "not what the spec fixed" in bar.inner_text()
    assert page.locator(".mark:visible").count() == 1  # the table of pairs depends on no reference
    page.locator("[data-margin]").select_option(label="0.5\u202fpp")
    assert page.locator(".mark:visible").count() == 2
    assert "0.5\u202fpp (explored)" in page.locator("#ranking .note").last.inner_text()
    assert "baseline cnn, margin 0.1\u202fpp" in bar.inner_text()
    page.locator("[data-reference]").select_option("")
    page.locator("[data-margin]").select_option(label="0.1\u202fpp, the spec's")
    assert page.locator(".mark:visible, .explored > div:visible").count() == 0


@pytest.mark.browser
def test_without_javascript_nothing_can_be_moved(browser: Browser, specs: tuple[Path, Path]) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{(specs[0] / 'report.html').as_uri()}#reference=vit-8")
    assert page.get_by_text("The spec's: baseline cnn").is_visible()
    assert page.locator("[data-reference]:visible, .mark:visible, .explored > div:visible").count() == 0
    page.close()


@pytest.mark.browser
def test_a_copied_address_opens_the_same_view(browser: Browser, page: Page) -> None:
    page.locator("nav a", has_text="Pairs").click()
    page.locator("[data-reference]").select_option("vit-8")
    page.locator("[data-margin]").select_option(label="0.3\u202fpp")
    page.locator(".duel").get_by_label("First model").select_option(label="vit-8")
    page.locator("table.board th", has_text="Training").get_by_role("button").click()
    again = browser.new_page(viewport={"width": 1280, "height": 900})
    again.goto(page.url)
    assert again.url == page.url
    assert shown(again) == shown(page)
    assert again.locator("table.board th[aria-sort=ascending]").inner_text().startswith("Training")
    assert again.locator(".duel [data-sentence]").inner_text().startswith("vit-8 is")
    assert again.locator(".contrast .legend [data-name=a]").inner_text() == "vit-8"
    assert again.evaluate("Math.abs(document.querySelector('#pairs').getBoundingClientRect().top) < 40")
    again.close()


@pytest.mark.browser
def test_going_back_leaves_address_and_view_alike(page: Page) -> None:
    plain = page.url
    page.locator("nav a", has_text="Cost").click()
    page.wait_for_url("**#cost")
    page.locator("[data-reference]").select_option("vit-8")
    assert page.url == f"{plain}#at=cost&reference=vit-8"
    page.go_back()
    page.wait_for_url("**#reference=vit-8")
    assert page.locator(".explored > div").is_visible()


@pytest.mark.browser
def test_a_choice_is_told_of_the_section_that_a_link_has_just_gone_to(page: Page) -> None:
    page.evaluate("""() => {
        const reference = document.querySelector("[data-reference]");
        location.hash = "cost";
        reference.value = [...reference.options].find(one => one.label === "vit-8").value;
        reference.dispatchEvent(new Event("change", {bubbles: true}));
    }""")
    assert page.url.endswith("#at=cost&reference=vit-8")


@pytest.mark.browser
def test_an_address_that_names_nothing_of_the_page_changes_nothing(page: Page, specs: tuple[Path, Path]) -> None:
    honest = page.locator("body").inner_html()
    for fragment in (
        "at=<img src=x onerror=alert(1)>&reference=<img src=x onerror=alert(1)>&margin=constructor&data=2",
        "first=__proto__&second=vit-8&sort=0.1.sideways,__proto__.0.ascending,99.1.ascending,0.99.ascending,0.x.ascending",
        "sort=%&reference=%E0%A4%A&at=..%2f",
        "#at=ranking",
    ):
        page.goto("about:blank")
        page.goto(f"{(specs[0] / 'report.html').as_uri()}#{fragment}")
        assert page.locator("body").inner_html() == honest, fragment
        assert "#" not in page.url, fragment


@pytest.mark.browser
def test_every_heading_has_a_link_to_itself(page: Page) -> None:
    links = page.locator("main section > a.anchor:has(+ h2)")
    assert links.count() == page.locator("main > section").count() > 10
    assert page.locator("main a.anchor:has(+ h3)").count() == page.locator("main > section h3").count() > 2
    page.get_by_role("link", name="Link to Which classes are hard?").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**#confusion-*")
    head = page.locator(f'[id="{page.url.partition("#")[2]}"]')
    assert head.inner_text() == "Which classes are hard?"
    page.reload()
    assert page.url.partition("#")[2].startswith("confusion-")
    page.get_by_role("link", name="Link to Calibration").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**#calibration")


@pytest.mark.browser
def test_a_model_stands_out_in_every_chart(page: Page) -> None:
    chart = page.locator("#time .chart")
    chart.focus()
    page.keyboard.press("ArrowRight")
    model = page.locator(".tip:visible b").inner_text()
    marks = page.locator(".chart [data-told], .chart [data-model]").evaluate_all(
        "all => all.map(one => [one.dataset.model ?? one.dataset.told.split('\\n')[0],"
        " one.classList.contains('faint')])"
    )
    assert {name for name, faint in marks if not faint} == {model}
    assert len({name for name, _ in marks}) == len(OPTIONS["models"])
    page.keyboard.press("Escape")
    assert page.locator(".chart .faint").count() == 0
