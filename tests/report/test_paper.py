"""What goes into a paper: figures of a column's and a page's width with text of 8 points, and a LaTeX table."""

from __future__ import annotations

import itertools
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mnistarena.report.latex import escape_latex
from mnistarena.report.view import build
from mnistarena.report.write import write_report
from mnistarena.store.results import read_run

from .synthetic import MODELS, build_run

HOSTILE = (
    "\\input{/etc/passwd}",
    "\\errmessage{no}",
    "50%_of $x^2$ & #1 ~ {[a]}",
    "[2pt] in front",
    "*in front",
    "}\\end{table}\\undefined",
    "a--b---c ``quoted'' \"so\" <i>|x|</i> ?` !`",
    "\u4e2d\u6587 \U0001f642 \u03b1 \u00e9 \u0142 \u0150 \u00e7 \u00f1",
    "tab\tand\nline\u2028end",
    "^^M^^5cundefined",
)


@dataclass
class Box:
    """A text as it is drawn, in pixels; `size` is that of its letters."""

    text: str
    corners: list[tuple[float, float]]
    size: float

    def apart(self, other: Box) -> bool:
        """Whether a line parallel to a side of one separates the two."""
        for box in (self, other):
            for (x, y), (u, v) in itertools.pairwise(box.corners[:3]):
                ours, theirs = ([(u - x) * p + (v - y) * q for p, q in one.corners] for one in (self, other))
                if max(ours) <= min(theirs) or max(theirs) <= min(ours):
                    return True
        return False


def boxes(element: ElementTree.Element, x: float = 0, y: float = 0) -> Iterator[Box]:
    """Every text of an SVG; letters are half as wide as they are high."""
    moved = re.search(r"translate\(([-\d.]+),\s*([-\d.]+)\)", element.get("transform", ""))
    if moved:
        x, y = x + float(moved[1]), y + float(moved[2])
    if element.tag.endswith("}text") and element.text:
        turned = re.search(r"rotate\(([-\d.]+)", element.get("transform", ""))
        angle = math.radians(float(turned[1]) if turned else 0)
        size = float(element.get("font-size", "0px").removesuffix("px"))
        width = 0.5 * size * len(element.text)
        left = -width * {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor", "start")]
        flat = [(left, -0.7 * size), (left + width, -0.7 * size), (left + width, 0), (left, 0)]
        turn = [(p * math.cos(angle) - q * math.sin(angle), p * math.sin(angle) + q * math.cos(angle)) for p, q in flat]
        yield Box(element.text, [(x + p, y + q) for p, q in turn], size)
    for child in element:
        yield from boxes(child, x, y)


@pytest.fixture(scope="module")
def papers(five: Path, several: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of three runs: five models, several datasets, 14 classes with long names and models close by."""
    close = {f"a-model-with-a-long-name-{number}": {**MODELS["cnn"], "seconds": 90.0 + number} for number in range(6)}
    many = build_run(
        tmp_path_factory.mktemp("many"), models=close, class_names=[f"class number {n}" for n in range(14)], n=400,
        epochs=2, seeds=2,
    )  # fmt: skip
    copies = [Path(shutil.copytree(path, tmp_path_factory.mktemp("copy") / "run")) for path in (five, several)]
    for path in (many, *copies):
        assert write_report(path, html=False, markdown=False, paper=True) == [path / "figures" / "paper"]
    return [path / "figures" / "paper" for path in (many, *copies)]


def test_every_figure_is_as_wide_as_a_column_and_as_a_page_with_text_of_eight_points(papers: list[Path]) -> None:
    kinds = set()
    for folder in papers:
        drawn = sorted(folder.glob("*.svg"))
        kinds |= {path.stem.rpartition("-")[0].rstrip("0123456789-") for path in drawn}
        assert {path.stem for path in drawn} == {path.stem for path in folder.glob("*.pdf")}
        assert len({path.stem.rpartition("-")[0] for path in drawn}) * 2 == len(drawn)
        for path in drawn:
            inches = float(re.search(r"-([\d.]+)in$", path.stem)[1])  # type: ignore[index]
            root = ElementTree.fromstring(path.read_text("utf-8"))
            assert root.get("width") == f"{inches:g}in"
            pixels = float(root.get("viewBox", "").split()[2])
            points = {round(box.size * inches * 72 / pixels, 3) for box in boxes(root)}
            assert points == {8.0}, path.name
            page = re.search(rb"/MediaBox \[0 0 ([\d.]+) ", path.with_suffix(".pdf").read_bytes())
            assert page is not None
            assert float(page[1]) == pytest.approx(inches * 72, abs=0.01)
    assert any("across-datasets" in kind for kind in kinds)
    assert any("training-images" in kind for kind in kinds)


def test_no_two_labels_lie_over_one_another(papers: list[Path]) -> None:
    wrong = []
    for path in sorted(path for folder in papers for path in folder.glob("*.svg")):
        found = list(boxes(ElementTree.fromstring(path.read_text("utf-8"))))
        assert found
        wrong += [
            f"{path.parts[-4]}/{path.name}: {one.text!r} over {other.text!r}"
            for one, other in itertools.combinations(found, 2)
            if not one.apart(other)
        ]
    assert not wrong, "\n".join(wrong[:20])


def test_the_folder_of_figures_is_no_link_to_elsewhere(five: Path, tmp_path: Path, arena: Any) -> None:
    run = Path(shutil.copytree(five, tmp_path / "run"))
    (tmp_path / "elsewhere").mkdir()
    (run / "figures" / "paper").symlink_to(tmp_path / "elsewhere")
    refused = arena("report", run, "--figures", "paper")
    assert refused.status == 2
    assert "is a symbolic link" in refused.err
    assert not list((tmp_path / "elsewhere").iterdir())


def rows(tex: str) -> list[list[str]]:
    """The cells of the rows between the rules."""
    (body,) = re.findall(r"\\midrule\n(.*?)    \\bottomrule", tex, flags=re.DOTALL)
    return [line.strip().removesuffix(" \\\\").split(" & ") for line in body.splitlines()]


def test_the_table_has_what_the_leaderboard_has(troubled: Path, tmp_path: Path, arena: Any) -> None:
    run = Path(shutil.copytree(troubled, tmp_path / "run"))
    done = arena("report", run, "--latex")
    assert done.out == f"{run}/report.tex\n"
    tex = (run / "report.tex").read_text("ascii")
    data = build(read_run(run))
    (comparison,) = data.comparisons
    found = rows(tex)
    assert [cells[0].partition("$")[0] for cells in found] == [row.label for row in comparison.rows]
    for cells, row in zip(found, comparison.rows, strict=True):
        assert row.accuracy is not None
        figures = [float(one) for one in re.findall(r"\d+\.\d+", cells[2])]
        assert figures == pytest.approx(
            [100 * value for value in (row.accuracy.estimate, row.accuracy.low, row.accuracy.high)], abs=0.005
        )
        assert cells[3] == (str(row.finished) if row.complete else f"{row.finished} of {row.seeds}")
        marks = {"better": "\\dagger", "worse": "\\ddagger", "undecided": "?", "equal": "\\approx"}
        assert re.findall(r"\$\^\{(.*)\}\$", cells[0]) == [marks[said] for said in [row.verdict] if said in marks]
    assert "from the run folder run" in tex
    assert f"Holm's correction is {comparison.family}" in tex
    assert "Without a mark: not compared with cnn." in tex
    assert "Training times were measured under different conditions." in tex


def test_another_figure_that_decides_has_a_column_before_the_accuracy(tmp_path: Path) -> None:
    run = build_run(tmp_path, n=200, seeds=1, epochs=1, validation=0, decide="log_loss", margin=0.01)
    write_report(run, html=False, markdown=False, latex=True)
    tex = (run / "report.tex").read_text("ascii")
    assert "Model & Place & Log loss & Accuracy, \\% & Seeds & Training \\\\" in tex
    assert all(re.match(r"\d\.\d{4} ", cells[2]) and re.match(r"\d\d\.\d\d ", cells[3]) for cells in rows(tex))
    assert "of one trained model" in tex


def test_hostile_labels_are_text(tmp_path: Path) -> None:
    assert escape_latex("a--b–c") == "a-{}-b--c"
    assert escape_latex("\u00e9 \u4e2d") == "\\'{e} (U+4E2D)"
    run = build_run(
        tmp_path / "100% \\hostile",
        models={label: {**MODELS["cnn"], "accuracy": 0.9} for label in HOSTILE},
        datasets=(HOSTILE[0],),
        n=200, seeds=2, epochs=1, validation=0,
        name="a name\n\\undefined",
    )  # fmt: skip
    write_report(run, html=False, markdown=False, latex=True)
    compiled(run / "report.tex", tmp_path)


def compiled(table: Path, folder: Path) -> None:
    """Compile a document with the table, by what is installed."""
    engines = {
        "pdflatex": ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"],
        "tectonic": ["--only-cached", "--untrusted", "paper.tex"],
    }
    engine = next(filter(shutil.which, engines), None)
    if engine is None:
        pytest.skip("neither pdflatex nor tectonic is installed")
    shutil.copy(table, folder / "table.tex")
    begin = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (folder / "paper.tex").write_text(begin + "\\input{table.tex}\n\\end{document}\n")
    done = subprocess.run(
        [engine, *engines[engine]], cwd=folder, capture_output=True, text=True, errors="replace",
        env={**os.environ, "max_print_line": "1000"},
    )  # fmt: skip
    said = done.stdout + done.stderr
    if engine == "tectonic" and "only-cached" in said:
        pytest.skip("tectonic has no packages in its cache")
    assert done.returncode == 0, said[-3000:]
    assert (folder / "paper.pdf").stat().st_size > 1000
    assert "(/etc/passwd" not in said, "a label was obeyed"
