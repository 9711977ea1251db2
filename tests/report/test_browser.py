"""The page in a real Chromium: what a reader sees, clicks and types."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnistarena import load_run
from mnistarena.report.write import write_report

from .synthetic import MODELS, build_run
from .visits import Visit, opened, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One page for many tests: a new one is a new process of Chromium."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def visit(tab: Page, five: Path) -> Visit:
    """The page, loaded anew."""
    return opened(tab, five)


@pytest.fixture(scope="module")
def drawn(browser: Browser, five: Path) -> Iterator[Visit]:
    """The page; to be looked at, not changed."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    visit = Visit(page, five)
    yield visit
    page.close()


def models(page: Page) -> list[str]:
    return page.locator("table.board tbody th .who").all_inner_texts()


def test_the_page_opens_without_a_complaint_and_asks_for_nothing(drawn: Visit, five: Path) -> None:
    assert drawn.complaints == []
    assert drawn.requests == [(five / "report.html").as_uri()]


def test_every_chart_is_drawn_once_at_the_width_that_fits(drawn: Visit) -> None:
    charts = drawn.page.locator(".chart:visible")
    assert charts.count() == 5
    for at in range(charts.count()):
        box = charts.nth(at).bounding_box()
        shown = charts.nth(at).locator("svg.marks:visible")
        assert shown.count() == 1
        own = shown.bounding_box()
        assert own["width"] <= box["width"] + 1
        assert own["height"] > 200


def test_a_point_under_the_mouse_tells_its_figures(visit: Visit) -> None:
    point = visit.page.locator("#time .chart svg:visible [data-told]").first
    point.hover()
    tip = visit.page.locator(".tip:visible")
    tip.wait_for()
    assert "95 % interval" in tip.inner_text()
    assert tip.inner_text().splitlines()[0] == point.get_attribute("data-told").splitlines()[0]


def test_arrow_keys_walk_the_points_of_a_chart(visit: Visit) -> None:
    chart = visit.page.locator("#time .chart")
    chart.focus()
    seen = []
    for _ in range(5):
        visit.page.keyboard.press("ArrowRight")
        seen.append(visit.page.locator(".tip:visible b").inner_text())
    assert sorted(seen) == sorted(models(visit.page))
    visit.page.keyboard.press("Escape")
    assert visit.page.locator(".tip:visible").count() == 0


def test_the_leaderboard_sorts_by_click_and_says_so(visit: Visit) -> None:
    before = models(visit.page)
    head = visit.page.locator("table.board th", has_text="Accuracy")
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert models(visit.page) == before[::-1]


def test_the_leaderboard_sorts_by_keyboard(visit: Visit) -> None:
    head = visit.page.locator("table.board th", has_text="Training")
    head.get_by_role("button").focus()
    visit.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert models(visit.page)[0] == "vit-8"
    visit.page.keyboard.press("Space")
    assert models(visit.page)[0] == "vgg16"
    assert visit.page.locator("table.board th[aria-sort=descending]").count() == 1


def test_the_picker_shows_one_confusion_matrix(visit: Visit) -> None:
    visit.page.get_by_role("combobox", name="Model", exact=True).select_option(label="vit-8")
    shown = visit.page.locator(".matrix:visible")
    assert shown.count() == 1
    assert shown.locator("figcaption").inner_text().startswith("vit-8")


def test_the_leaderboard_filters_by_name_and_by_verdict(visit: Visit, five: Path) -> None:
    verdicts = {row.label: row.verdict for row in load_run(five).view.comparisons[0].rows}
    box = visit.page.get_by_role("searchbox")
    shown = visit.page.locator("table.board tbody tr:visible")
    box.fill("vit")
    assert shown.count() == 1
    assert visit.page.locator(".filter .count").inner_text() == "1 of 5"
    box.fill("worse")
    assert {row.locator(".who").inner_text() for row in shown.all()} == {
        label for label, verdict in verdicts.items() if verdict == "worse"
    }
    assert shown.count() >= 2
    box.fill("")
    assert shown.count() == 5


def test_pairs_tell_their_verdict_in_words_and_signs(visit: Visit) -> None:
    row = visit.page.locator("table.pairs tbody tr", has_text="vit-8").first
    cells = row.locator("td.verdict")
    assert cells.count() == 4
    signs = {"worse": '"▼"', "undecided": '"?"', "better": '"▲"', "practically equal": '"≈"'}
    for cell in cells.all():
        sign = cell.evaluate("cell => getComputedStyle(cell, '::before').content")
        assert sign == signs[cell.locator("small").inner_text()]
    assert "worse" in row.inner_text()


def test_the_gallery_shows_images_and_picks_those_of_a_model(visit: Visit) -> None:
    visit.page.locator("#gallery").scroll_into_view_if_needed()
    tiles = visit.page.locator(".gallery > li:visible")
    everything = tiles.count()
    widths = visit.page.locator(".gallery img").evaluate_all(
        "async found => { await Promise.all(found.map(one => { one.loading = 'eager'; return one.decode(); }));"
        " return found.map(one => one.naturalWidth); }"
    )
    assert set(widths) == {28}
    visit.page.locator("select[data-gallery]").select_option(label="vgg16")
    assert 0 < tiles.count() < everything
    assert all("vgg16" in tile.inner_text() for tile in tiles.all())
    visit.page.locator("select[data-gallery]").select_option(value="")
    assert tiles.count() == everything
    assert "labelled" in (visit.page.locator(".gallery img").first.get_attribute("alt") or "")


def test_the_figures_can_be_taken_along(visit: Visit, five: Path) -> None:
    def taken(name: str) -> str:
        with visit.page.expect_download() as waiting:
            visit.page.get_by_role("link", name=name).click()
        assert waiting.value.suggested_filename == name
        return Path(waiting.value.path()).read_text("utf-8")

    rows = list(csv.DictReader(taken("trials.csv").splitlines()))
    assert len(rows) == 15
    stored = {(t.label, str(t.seed)): t.metrics["accuracy"] for t in load_run(five).trials}
    assert {(row["label"], row["seed"]): float(row["accuracy"]) for row in rows} == stored
    told = json.loads(taken("report.json"))
    assert len(told["datasets"][0]["pairs"]) == 10
    assert visit.complaints == []


@pytest.mark.parametrize("which", ["five", "troubled"])
def test_axe_finds_no_serious_violation_and_the_dark_turns_page_and_charts(
    browser: Browser, which: str, request: pytest.FixtureRequest
) -> None:
    context = browser.new_context(color_scheme="dark", bypass_csp=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    visit = Visit(page, request.getfixturevalue(which))
    if which == "five":
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
        label = page.evaluate("getComputedStyle(document.querySelector('.chart .mark-text text')).fill")
        assert label == "rgb(154, 164, 178)"
    assert violations(page) == []
    assert visit.complaints == []
    context.close()


def test_without_javascript_every_chart_and_table_is_there(browser: Browser, five: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((five / "report.html").as_uri())
    assert page.locator(".chart svg.marks:visible").count() == 5
    assert page.locator("table.board tbody tr").count() == 5
    page.close()


def test_a_dataset_is_picked_for_the_whole_page(tab: Page, several: Path) -> None:
    page = opened(tab, several).page
    boards = page.locator("#ranking table.board")
    assert [boards.nth(at).is_visible() for at in range(3)] == [True, False, False]
    page.locator(".datasets select").select_option(label="all 3")
    assert [boards.nth(at).is_visible() for at in range(3)] == [True, True, True]
    page.locator(".datasets select").select_option("mnist-500")
    assert [boards.nth(at).is_visible() for at in range(3)] == [False, True, False]
    assert page.locator("#across table").first.is_visible()  # it is about all of them


def test_charts_leave_room_for_their_lines_on_a_phone(tab: Page, several: Path) -> None:
    visit = opened(tab, several, 390)
    assert visit.complaints == []
    for section in ("across", "growth", "learning", "calibration"):
        frame = tab.locator(f"#{section} .chart svg:visible .root > g > .background").first.bounding_box()
        assert frame is not None
        assert frame["width"] > 120, section


def test_two_models_are_compared_image_by_image(visit: Visit) -> None:
    place = visit.page.locator(".duel")
    place.get_by_label("First model").select_option(label="vit-8")
    place.get_by_label("Second model").select_option(label="cnn")
    assert place.locator("[data-sentence]").inner_text().startswith("vit-8 is worse than cnn")
    cells = place.locator("[data-quadrant]")
    assert sum(int(text.replace(",", "")) for text in cells.all_inner_texts()) == 2000
    cells.nth(2).click()
    title = place.locator("[data-title]").inner_text()
    assert title.startswith("Only cnn is right: ")
    assert place.locator(".sprites li").count() == int(title.split()[-2])
    first = place.locator(".sprites li").first
    assert first.locator("small.wrong").inner_text().startswith("vit-8: ")
    assert first.locator("small.right").inner_text().startswith("cnn: ")


def test_a_cell_of_a_confusion_matrix_opens_its_images(visit: Visit) -> None:
    cell = visit.page.locator(".matrix:visible [data-cell] button").first
    cell.click()
    tiles = visit.page.locator(".matrix:visible .tiles")
    assert cell.get_attribute("title") in tiles.inner_text()
    assert visit.complaints == []


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Classes with long names, and a grid of one model."""
    classes = [f"a class whose name has many characters, {n}" for n in range(3)]
    grid = {
        f"cnn[channels=[{c},8],norm={n},size={s}]": MODELS["cnn"]
        for c in (4, 6)
        for n in ("true", "false")
        for s in (1, 2)
    }
    path = build_run(tmp_path_factory.mktemp("long") / "run", models=grid, class_names=classes, seeds=2, n=200)
    write_report(path, markdown=False)
    return path


@pytest.mark.parametrize("which", ["five", "troubled", "several", "long_names"])
def test_no_page_scrolls_sideways(tab: Page, which: str, request: pytest.FixtureRequest) -> None:
    visit = opened(tab, request.getfixturevalue(which), 360)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    for width in (768, 1280, 2560, 390):
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for summary in tab.locator("summary:visible").all():
        summary.click()
    assert tab.evaluate("document.documentElement.scrollWidth") == 390, "a phone, and all that can be opened"
    assert visit.complaints == []
