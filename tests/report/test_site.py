"""`arena site`: many runs as a static site, its shared leaderboards, and what it does with a stranger's folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mnistarena import load_run
from mnistarena.errors import StoreError
from mnistarena.report.site.board import Board
from mnistarena.report.site.write import Site, write_site
from mnistarena.store.trial_folder import TrialFolder

from .synthetic import FAILED, build_run
from .visits import SCHEMES, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MODEL = {"accuracy": 0.9, "spread": 0.01, "seconds": 3.0, "parameters": 10}
PAIR = {"cnn": {**MODEL, "accuracy": 0.97}, "vit": MODEL}
EVIL = "</script><img src=x onerror=alert(1)>{{ 7*7 }}\x1b[2J\u202e"
LONG = "x" * 150


def dated(run: Path, day: str) -> Path:
    """The same run, its trials begun on a day."""
    for path in run.glob("trials/*"):
        folder = TrialFolder(path)
        folder.write({**folder.read(), "started": f"{day}T10:00:00+02:00"})
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs on the same images, one of which repeats another but for a failure; a hostile one; no runs."""
    root = tmp_path_factory.mktemp("stores") / "runs"
    small = {"n": 300, "epochs": 1, "seeds": 3}
    dated(build_run(root / "monday", models=PAIR, name="Monday", **small), "2026-11-02")
    changed = {"cnn": {**MODEL, "accuracy": 0.98}, LONG: MODEL}
    dated(build_run(root / "tuesday", models=changed, salt="b", name=EVIL, **small), "2026-11-03")
    failed = {("vit", 1): FAILED}
    dated(build_run(root / "wednesday", models=PAIR, failures=failed, name="Again", **small), "2026-11-04")
    evil = build_run(root / 'a"><b>..', models={EVIL: MODEL}, datasets=("kmnist",), n=60, epochs=1, seeds=1)
    record = TrialFolder(next(evil.glob("trials/*")))
    record.write({**record.read(), "started": EVIL[:100]})
    shutil.copytree(root / "monday", root / "damaged")
    next(root.glob("damaged/trials/cnn*s0*/predictions.npz")).write_bytes(b"no predictions")
    (root / "notes").mkdir()
    (root / "link").symlink_to(root / "monday")
    return root


@pytest.fixture(scope="module")
def site(runs: Path) -> Site:
    return write_site([runs], runs.parent / "site")


@pytest.fixture(scope="module")
def shared(site: Site) -> Board:
    (found,) = site.boards
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Page(HTMLParser):
    """A page's elements, its headings, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.metas: dict[str, str] = {}
        self.handlers: list[str] = []
        self.text = path.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if "http-equiv" in given:
            self.metas[given["http-equiv"] or ""] = given["content"] or ""


def test_the_index_names_every_run_and_says_what_cannot_be_read(site: Site, runs: Path) -> None:
    assert [run.name for run in site.runs] == ["wednesday", "tuesday", "monday", 'a"><b>..'], "the newest first"
    assert [run.day for run in site.runs] == ["2026-11-04", "2026-11-03", "2026-11-02", ""]
    page = site.index.read_text()
    assert "5 of 6 trials done" in page
    for run in site.runs:
        assert (site.index.parent / run.report).is_file()
    (damaged,) = site.damaged
    assert damaged.name == "damaged"
    assert "damaged/trials/cnn-mnist-s0" in page
    assert str(runs.parent) not in page, "where the folders lie is nobody else's business"
    assert sorted(re.sub(r".*/", "", said) for said in site.left_out) == [
        "link is left out: it is a symbolic link",
        "notes is left out: it holds no plan.json, so it is no run folder",
    ]


def test_equal_recipes_are_one_and_others_of_the_same_name_are_told_apart(shared: Board) -> None:
    rows = {row.label: row for row in shared.rows}
    assert rows.keys() == {"cnn (tuesday)", "cnn (monday and wednesday)", "vit", LONG}
    assert rows["vit"].runs == ("monday", "wednesday")
    assert (rows["vit"].finished, rows["vit"].seeds) == (3, 3), "a seed that failed in one run has a result in another"
    assert "vit, seed 1: the trial has a result in monday, which counts, and none in wednesday." in shared.notes


def test_the_board_has_the_figures_of_the_stored_predictions(shared: Board, runs: Path) -> None:
    for row in shared.rows:
        label, name = ("cnn", row.runs[0]) if row.label.startswith("cnn") else (row.label, row.runs[0])
        stored = [trial.metrics["accuracy"] for trial in load_run(runs / name).trials if trial.label == label]
        assert row.seed_values == pytest.approx(stored)
        assert row.mean == pytest.approx(np.mean(stored))
        assert row.decided is not None
        assert row.decided.low < row.mean < row.decided.high
        if row.label != shared.reference:
            assert row.against is not None
            assert row.against.difference is not None
            assert row.against.difference.estimate == pytest.approx(row.mean - shared.rows[0].mean)
    assert shared.said.startswith("4 recipes of 3 runs; 2 of them stand in several runs")
    assert "Holm's correction over the 6 pairs that could be compared" in shared.said
    assert "takes the best of these 4 recipes chooses it by these test images" in shared.notes[0]


def test_the_history_follows_a_label_from_run_to_run(shared: Board, runs: Path) -> None:
    lines = {line.label: line for line in shared.history}
    assert lines.keys() == {"cnn", "vit"}
    points = [(point.run, point.day, point.changed) for point in lines["cnn"].points]
    assert points == [
        ("monday", "2026-11-02", False),
        ("tuesday", "2026-11-03", True),
        ("wednesday", "2026-11-04", True),
    ]
    assert [point.seeds for point in lines["vit"].points] == [3, 2]
    assert [point.column for point in lines["vit"].points] == [0, 2]


def read_back(ticks: list[tuple[float, float]]) -> Callable[[float], float]:
    """The accuracy in % at a place of an axis, even in the logarithm of the error, from its ticks."""
    assert len(ticks) >= 2
    slope, start = np.polyfit([at for at, _ in ticks], [np.log(100 - value) for _, value in ticks], 1)
    return lambda at: 100 - float(np.exp(slope * at + start))


def test_what_is_drawn_is_what_is_tabled(site: Site, shared: Board) -> None:
    page = (site.index.parent / shared.address).read_text()
    number = r"[\d.]+"
    rows = page[page.index("<tbody") : page.index("</tbody>")].split("<tr ")[1:]
    head = page[page.index("<thead") : page.index("</thead>")]
    found = re.findall(rf'<text x="({number})%" y="12"[^>]*>({number}) %<', head)
    accuracy = read_back([(float(at), float(value)) for at, value in found])
    for row, text in zip(shared.rows, rows, strict=True):
        low, high = re.findall(rf'<line x1="({number})%" x2="({number})%" y1="14"', text)[0]
        (mean,) = re.findall(rf'class="mean" cx="({number})%"', text)
        assert row.decided is not None
        drawn = [accuracy(float(at)) for at in (low, mean, high)]
        tabled = [row.decided.low, row.decided.estimate, row.decided.high]
        assert drawn == pytest.approx([100 * value for value in tabled], abs=0.02)
        assert f"{100 * row.mean:.2f}" in text
        seeds = [accuracy(float(at)) for at in re.findall(rf'class="seed" cx="({number})%', text)]
        assert seeds == pytest.approx([100 * value for value in row.seed_values], abs=0.02)
    up = page[page.index('class="panels"') :]
    for line, panel in zip(shared.history, up.split("<figure>")[1:], strict=True):
        found = re.findall(rf' y="({number})" text-anchor="end">({number}) %<', panel)
        accuracy = read_back([(float(y) - 4, float(value)) for y, value in found])
        means = [accuracy(float(y)) for y in re.findall(rf'cy="({number})"', panel)]
        assert means == pytest.approx([100 * point.accuracy.estimate for point in line.points], abs=0.05)
        ends = re.findall(rf'class="interval" d="M{number} ({number})V({number})"', panel)
        drawn = [accuracy(float(y)) for each in ends for y in each]
        tabled = [end for point in line.points for end in (point.accuracy.low, point.accuracy.high)]
        assert drawn == pytest.approx([100 * end for end in tabled], abs=0.05)


def test_pages_run_nothing_and_link_to_what_is_there(site: Site) -> None:
    root = site.index.parent
    for path in (site.index, *root.glob("boards/*.html")):
        page = Page(path)
        policy = page.metas["Content-Security-Policy"]
        assert re.fullmatch(
            r"default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'", policy
        )
        assert not {"script", "img", "iframe", "form", "link", "object", "b"} & set(page.tags)
        assert page.tags.count("h1") == page.tags.count("title") == 1
        assert page.handlers == []
        for address in page.addresses:
            assert re.fullmatch(r"#main|(\.\./)?[\w./-]+\.html", address)
            if not address.startswith("#"):
                target = (path.parent / address).resolve()
                assert target.is_file()
                assert target.is_relative_to(root)
        for text in ("\x1b", "\u202e", "<img src=x"):
            assert text not in page.text
    for run in site.runs:
        report = root / run.report
        (back,) = [address for address in Page(report).addresses if address.endswith(".html")]
        assert (report.parent / back).resolve() == site.index.resolve()
    assert "{{ 7*7 }}" in site.index.read_text()
    assert {path.parts[0] for path in map(Path, files(root))} == {"index.html", "site.json", "boards", "runs"}


def test_the_same_stores_give_the_same_bytes_and_what_is_gone_leaves_the_site(
    arena, runs: Path, site: Site, tmp_path: Path
) -> None:
    again = arena("site", runs, "--output", tmp_path / "again")
    assert again.status == 0, again.err
    assert again.out == f"{tmp_path / 'again' / 'index.html'}: 4 runs, 1 shared leaderboard\n"
    assert "damaged cannot be shown" in again.err
    assert "notes is left out" in again.err
    assert files(tmp_path / "again") == files(site.index.parent)
    (tmp_path / "again" / "mine.txt").write_text("mine")
    fewer = arena("site", runs / "monday", "--output", tmp_path / "again")
    assert fewer.status == 0, fewer.err
    assert files(tmp_path / "again").keys() == {"index.html", "site.json", "runs/monday/report.html", "mine.txt"}


def test_a_folder_that_holds_something_else_is_not_touched(arena, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.html").write_text("mine")
    refused = arena("site", runs, "--output", tmp_path / "mine")
    assert refused.status == 2
    assert "mine is not empty and holds no site (site.json); give a new folder with --output" in refused.err
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "site.json").write_text('{"pages": ["runs/../../mine/thesis.html", "../mine/thesis.html"]}')
    (tmp_path / "linked" / "runs").symlink_to(tmp_path / "mine")
    assert "is a symbolic link" in arena("site", runs / "monday", "--output", tmp_path / "linked").err
    (tmp_path / "linked" / "runs").unlink()
    assert arena("site", runs / "monday", "--output", tmp_path / "linked").status == 0
    assert (tmp_path / "mine" / "thesis.html").read_text() == "mine"


def test_without_a_run_there_is_no_site(arena, tmp_path: Path) -> None:
    (tmp_path / "runs" / "empty").mkdir(parents=True)
    none = arena("site", "runs", "--output", "site")
    assert none.status == 2
    assert "there is no run folder: runs/empty is left out: it holds no plan.json" in none.err
    assert "is not a folder; give run folders" in arena("site", "nowhere", "--output", "site").err
    assert not (tmp_path / "site").exists()


def test_a_folder_of_links_is_refused(tmp_path: Path, runs: Path) -> None:
    shutil.copytree(runs / "monday", tmp_path / "runs" / "stranger")
    shutil.move(tmp_path / "runs" / "stranger" / "trials", tmp_path / "elsewhere")
    (tmp_path / "runs" / "stranger" / "trials").symlink_to(tmp_path / "elsewhere")
    site = write_site([tmp_path / "runs"], tmp_path / "site")
    assert "trials is a symbolic link" in site.damaged[0].problem
    with pytest.raises(StoreError, match="is not a folder"):
        write_site([tmp_path / "runs" / "stranger" / "plan.json"], tmp_path / "other")


@pytest.mark.browser
def test_axe_finds_nothing_and_no_width_scrolls_sideways(browser: Browser, site: Site, shared: Board) -> None:
    addresses = [(site.index.parent / address).as_uri() for address in ("index.html", shared.address)]
    page = browser.new_context(bypass_csp=True).new_page()
    for uri in addresses:
        page.goto(uri)
        assert violations(page, least="minor") == [], uri
    page.context.close()
    page = browser.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: requests.append(request.url))
    for uri in addresses:
        page.goto(uri)
        font = page.evaluate("getComputedStyle(document.body).fontFamily")
        assert "system-ui" in font, "the policy lets the style sheet through"
        for summary in page.locator("summary").all():
            summary.click()
        for width in (360, 768, 1280, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (uri, width, scheme)
    page.close()
    assert complaints == []
    assert requests == addresses
