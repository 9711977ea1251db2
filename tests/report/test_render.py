"""The page and the Markdown: safe, self-contained, repeatable and small."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mnistarena.cli.commands.report import command
from mnistarena.errors import StoreError
from mnistarena.report.charts.all import figures
from mnistarena.report.render import escape_markdown, fence
from mnistarena.report.view import build
from mnistarena.report.write import write_report
from mnistarena.store.results import read_run

from .synthetic import MODELS, build_run, entry

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>|*_`[x](javascript:1)\u2028"


class Elements(HTMLParser):
    """Every start tag of a page, with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


SMALL: dict[str, Any] = {"models": {"cnn": MODELS["cnn"]}, "n": 100, "seeds": 1, "epochs": 1, "validation": 0}
"""Options of a run that is quickly rendered."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = build_run(
        tmp_path_factory.mktemp("hostile"),
        models={HOSTILE: MODELS["cnn"], "plain": MODELS["vit-8"]},
        n=300,
        class_names=[f"{HOSTILE}{i}" for i in range(5)],
        failures={
            ("plain", 1): {"status": "failed", "error": dict.fromkeys(("type", "message", "traceback"), HOSTILE)}
        },
        entries={"plain": {"notes": [HOSTILE], "summary": HOSTILE}},
        name=HOSTILE,
    )
    write_report(path)
    return path


def test_hostile_text_becomes_no_element_of_the_page(hostile: Path, five: Path) -> None:
    page, honest = (Elements((path / "report.html").read_text("utf-8")) for path in (hostile, five))
    assert all((attributes["src"] or "").startswith("data:image/png;base64,") for attributes in page.of("img"))
    assert {tag for tag, _ in page.found} <= {tag for tag, _ in honest.found} | {"pre", "p", "strong"}
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]


def test_only_the_script_that_the_policy_names_can_run(hostile: Path) -> None:
    page = Elements((hostile / "report.html").read_text("utf-8"))
    scripts = [attributes for attributes in page.of("script") if attributes.get("type") != "application/json"]
    policy = next(m["content"] for m in page.of("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert len(scripts) == 1
    assert policy is not None
    assert policy.count("'sha256-") == 1
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_hostile_text_is_literal_in_markdown(hostile: Path) -> None:
    text = re.sub(r"```+toml.*?```+", "", (hostile / "report.md").read_text("utf-8"), flags=re.DOTALL)
    assert "<script" not in text
    assert "<img" not in text
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert any("alert(1)" in table for table in tables)
    for table in tables:
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1, table


def test_markdown_escapes_and_fences() -> None:
    assert escape_markdown("a_b|c\n`d`<e>") == r"a\_b\|c \`d\`&lt;e&gt;"
    assert fence("x ``` y").startswith("````\n")


def test_the_page_asks_for_nothing_outside_itself(five: Path) -> None:
    page = Elements((five / "report.html").read_text("utf-8"))
    assert not page.of("link")
    assert all((a.get("src") or "data:").startswith("data:") for _, a in page.found)
    assert all((a.get("href") or "#").startswith(("#", "data:")) for _, a in page.found)


def test_every_chart_has_a_description_a_drawing_and_a_table(five: Path) -> None:
    page = (five / "report.html").read_text("utf-8")
    charts = [a for a in Elements(page).of("div") if "chart" in (a.get("class") or "").split()]
    assert len(charts) == 5
    assert all(a["role"] == "img" and len(a["aria-label"] or "") > 30 for a in charts)
    assert page.count('<details class="figures">') == 7  # the charts, the matrix of pairs, further figures
    assert page.count('class="marks"') == 3 * 5 - 2  # each at three widths, but for the two that stand side by side


def test_the_same_stores_give_the_same_bytes(five: Path, several: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for run in (five, several) for path in run.rglob("*") if path.is_file()}

    before = files()
    code = "import sys; from mnistarena.report.write import write_report; [write_report(run) for run in sys.argv[1:]]"
    environment = {"PYTHONHASHSEED": "7", "PYTHONPATH": "."}
    subprocess.run([sys.executable, "-c", code, five, several], check=True, env=environment)
    assert files() == before


def test_five_models_by_three_seeds_stay_below_two_megabytes(five: Path) -> None:
    assert (five / "report.html").stat().st_size < 2_000_000


@pytest.mark.parametrize(("models", "seeds"), [(200, 1), (66, 3)])
def test_many_models_stay_below_four_megabytes(tmp_path: Path, models: int, seeds: int) -> None:
    named = {f"model-{i}": {**MODELS["cnn"], "accuracy": 0.8 + i / 1100} for i in range(models)}
    build_run(tmp_path, models=named, seeds=seeds, n=300)
    write_report(tmp_path, markdown=False)
    assert (tmp_path / "report.html").stat().st_size < 4_000_000


def test_markdown_shows_the_leaderboard_and_links_figures_that_exist(five: Path) -> None:
    text = (five / "report.md").read_text("utf-8")
    links = re.findall(r"\]\((figures/[^)]+)\)", text)
    drawings = [link for link in links if link.endswith(".svg")]
    assert len(drawings) == 7
    assert drawings[0] == "figures/forest.svg"
    assert len(re.findall(r"^\*\*.+\*\*\n\n!\[.+\.svg\)$", text, flags=re.MULTILINE)) == 7, "each has a title"
    assert "**Test accuracy with 95 % intervals**" in text.partition("<details>")[0]
    assert all((five / link).read_text("utf-8").startswith("<svg") for link in drawings)
    assert all((five / link).read_bytes().startswith(b"\x89PNG") for link in links if link not in drawings)
    assert "| Recall, % |" in text
    assert "| Row against column |" in text
    assert "| faster-rcnn | 99." in text
    assert "**No single winner" in text


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": 1, "models": {"cnn": MODELS["cnn"]}},
        {"validation": 0},
        {"datasets": ("mnist", "fashion")},
        {"epochs": 1, "seeds": 2},
        {"failures": {(label, seed): {"status": "pending"} for label in MODELS for seed in range(3)}},
        {"class_names": [f"c{i}" for i in range(40)]},
        {"models": {"perfect": {**MODELS["cnn"], "accuracy": 1.0}, "sk": {**MODELS["cnn"], "parameters": None}}},
        {"entries": {"cnn": {"deterministic": True, "training": None, "transforms": []}}},
    ],
    ids=["single", "no validation", "two datasets", "one epoch", "pending", "40 classes", "perfect", "scikit-learn"],
)
def test_every_kind_of_run_renders(tmp_path: Path, options: dict[str, object]) -> None:
    written = write_report(build_run(tmp_path, **{"n": 300, **options}))  # type: ignore[arg-type]
    assert [path.name for path in written] == ["report.html", "report.md"]
    assert "undefined" not in (tmp_path / "report.md").read_text("utf-8")


def test_ones_own_template_comes_before_the_shipped_one(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", **SMALL)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.md.j2").write_text("Only {{ view.name }}.")
    write_report(run, html=False, template=tmp_path / "mine")
    assert (run / "report.md").read_text() == "Only MNIST: five architectures.\n"


def test_one_section_of_the_page_can_be_replaced(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", **SMALL)
    (tmp_path / "mine" / "sections").mkdir(parents=True)
    (tmp_path / "mine" / "sections" / "cost.html.j2").write_text('<section id="cost">{{ view.name }}: free</section>')
    write_report(run, markdown=False, template=tmp_path / "mine")
    page = (run / "report.html").read_text("utf-8")
    assert '<section id="cost">MNIST: five architectures: free</section>' in page
    assert "What does each cost?" not in page
    assert "How accurate is each model?" in page


def test_a_template_that_names_what_is_not_there_is_refused_with_its_name(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run", **SMALL)
    (tmp_path / "report.md.j2").write_text("{{ nonsense }}")
    with pytest.raises(StoreError, match=r"report\.md\.j2"):
        write_report(run, html=False, template=tmp_path)


def test_the_command_prints_what_it_wrote_for_the_newest_run(tmp_path: Path) -> None:
    build_run(tmp_path / "runs" / "a", **SMALL)
    done = CliRunner().invoke(command, ["--runs-dir", str(tmp_path / "runs"), "--markdown"])
    assert done.exit_code == 0, done.output
    assert done.output == f"{tmp_path}/runs/a/report.md\n"
    assert not (tmp_path / "runs" / "a" / "report.html").exists()


def test_reporting_imports_no_torch(tmp_path: Path) -> None:
    run = build_run(tmp_path, **SMALL)
    code = (
        "import sys; from mnistarena.cli.commands.report import command;"
        "light = {'altair', 'jinja2', 'numpy', 'pydantic'} & set(sys.modules);"
        f"command([{str(run)!r}, '--markdown'], standalone_mode=False); print(light, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set() False"


def test_synthetic_entries_are_what_plans_hold() -> None:
    assert {"label", "dataset", "training", "notes", "seeds"} <= set(entry("cnn", [0]))


def test_every_kind_of_chart_is_valid_for_vega_lite(five: Path, troubled: Path, several: Path) -> None:
    import altair
    from altair.utils.schemapi import validate_jsonschema

    for run in (five, troubled, several):
        drawn = figures(build(read_run(run)))
        assert drawn
        for one in drawn:
            validate_jsonschema(one.spec, altair.Chart._rootschema)
