"""A key's path leads to its line, whatever TOML's syntax around it."""

from __future__ import annotations

import pytest

from mnistarena.spec.lines import line_of

TEXT = """\
# a comment with [brackets] and = signs
[benchmark]
name = "a \\" quote # not a comment"
seeds = [
  0,   # first
  1,
]
[training]
optimizer.name = "adam"
optimizer.lr = 0.1
[[model]]
name = "cnn"
[[model]]
name = \'\'\'
several
lines\'\'\'
params = { width = 8, "odd key" = { deep = 1 } }
transforms = [
  "normalize",
  { name = "resize", size = 32 },
]
[model.training]
epochs = 3
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("benchmark",), 2),
        (("benchmark", "name"), 3),
        (("benchmark", "seeds", 1), 6),
        (("training", "optimizer", "lr"), 10),
        (("model", 0, "name"), 12),
        (("model", 1), 13),
        (("model", 1, "params", "width"), 17),
        (("model", 1, "params", "odd key", "deep"), 17),
        (("model", 1, "transforms", 1, "size"), 20),
        (("model", 1, "training", "epochs"), 23),
        (("model", 1, "training", "absent"), 22),
        (("absent",), 1),
        ((), 1),
    ],
)
def test_a_path_is_found_at_its_line(path, line):
    assert line_of(TEXT, path) == line


def test_windows_line_ends_count_as_one():
    assert line_of("[a]\r\nb = 1\r\nc = 2\r\n", ("a", "c")) == 3
