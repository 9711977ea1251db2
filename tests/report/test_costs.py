"""FLOPs that are a lower bound are shown as one, wherever they are shown."""

from __future__ import annotations

import json

from ..helpers import by_label

FILE = """
import torch
from mnistarena import ModelDef, Params, hookimpl

class Nothing(Params):
    "No parameters."

def spectral(params, task):
    from torch import nn

    class Spectral(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(64, 10)

        def forward(self, images):
            return self.head(torch.fft.fft2(images).abs().flatten(1))

    return Spectral()

def recurrent(params, task):
    from torch import nn

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows, self.head = nn.LSTM(8, 32, batch_first=True), nn.Linear(32, 10)

        def forward(self, images):
            return self.head(self.rows(images[:, 0])[0][:, -1])

    return Recurrent()

@hookimpl
def arena_models():
    return [ModelDef(build.__name__, "a net", params=Nothing, build=build) for build in (spectral, recurrent)]
"""

SPEC = """
plugins = ["nets.py"]
[benchmark]
name = "costs"
[[dataset]]
name = "digits"
test_limit = 60
[training]
steps = 3
[[model]]
name = "spectral"
[[model]]
name = "recurrent"
"""


def test_a_lower_bound_is_told_in_page_markdown_and_export(arena, write_spec, tmp_path):
    (tmp_path / "nets.py").write_text(FILE)
    assert arena("run", write_spec(SPEC), "--out", "run").status == 0
    found = by_label(tmp_path / "run")
    recurrent, spectral = found["recurrent"]["measurements"], found["spectral"]["measurements"]
    assert recurrent["flops_per_image"] == 2 * 8 * 4 * 32 * (8 + 32) + 2 * 32 * 10
    assert "flops_uncounted" not in recurrent
    assert spectral["flops_per_image"] == 2 * 64 * 10
    assert spectral["flops_uncounted"] == ["fft_c2c"]
    assert found["spectral"]["notes"] == ["FLOPs leave out what cannot be counted: fft_c2c"]
    assert arena("report", "run").status == 0
    markdown, page = ((tmp_path / "run" / f"report.{kind}").read_text() for kind in ("md", "html"))
    assert "| ≥\u202f1.28\u202fk |" in markdown
    assert "| 82.6\u202fk |" in markdown
    assert '<td data-value="">≥\u202f1.28\u202fk</td>' in page
    assert "FLOPs leave out what cannot be counted: fft_c2c" in page
    rows = json.loads(arena("export", "run", "--json").out)
    assert {row["label"]: row.get("flops_uncounted") for row in rows} == {"spectral": "fft_c2c", "recurrent": None}
