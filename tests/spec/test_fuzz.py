"""Any bytes as a spec give a valid plan, or errors that say where; never a traceback.

ARENA_FUZZ is the number of specs that each of the four tests tries.
"""

from __future__ import annotations

import os
import re

import pytest
import tomli
from hypothesis import HealthCheck, given, settings, strategies as st

from mnistarena.errors import SpecError
from mnistarena.plan.resolve import outline
from mnistarena.plugin.registry import installed
from mnistarena.spec.load import load_spec

from ..helpers import ROOT

EXAMPLES = int(os.environ.get("ARENA_FUZZ", "510"))

WHERE = re.compile(r"^(.*fuzz\.toml(:\d+)?|--set .*): .", re.DOTALL)


STARTERS = [re.sub(r"(?m)^#.*\n", "", path.read_text()) for path in sorted(ROOT.glob("specs/*.toml"))]
# Files beside a spec are not beside one that is made up here.
STARTERS = [text for text in STARTERS if not text.lstrip().startswith("plugins")]
# Digits are quick to load, as an example must be, and they are on every machine.
STARTERS = [re.sub(r'name = "(fashion-)?mnist"', 'name = "digits"', text) for text in STARTERS]
STARTERS = [re.sub(r"(validation|train_limit|test_limit) = \d+", r"\1 = 100", text) for text in STARTERS]

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

REGISTRY = installed()


def problems_of(spec, overrides=()):
    """The problems of a spec, or an empty list where it says what there is to run."""
    try:
        found = outline(load_spec(spec, overrides), REGISTRY)
    except SpecError as problem:
        return problem.problems
    assert found.labels
    assert found.trials
    return []


@pytest.fixture
def attempt(tmp_path):
    """Write a spec and resolve it; returns its problems."""
    path = tmp_path / "fuzz.toml"

    def call(content: bytes, *overrides: str):
        path.write_bytes(content)
        return problems_of(path, overrides)

    return call


def located(problems):
    """Whether each problem says where it is, in so many words, and can be printed."""
    return all(WHERE.match(line) and len(line) < 5000 and line.encode() for line in problems)


@fuzzed
@given(st.one_of(st.binary(max_size=400), st.text(max_size=400).map(lambda t: t.encode("utf-8", "surrogatepass"))))
def test_any_bytes(attempt, content):
    assert located(attempt(content))


ODD = st.sampled_from(
    [
        "0", "-1", "1e400", "nan", "-inf", "9" * 30, "0x1F", "true", '""', '"\\u0000"', '"\\u001b[2J"', "[]", "{}",
        "[[]]", "[{}]", '{ name = "" }', '{ name = "adam", lr = "fast" }', "1979-05-27", '"' + "x" * 300 + '"',
        '[1, "two", 3.0]', '{ params.blocks = [] }', '{ params = 1 }', '{ training.epochs = [1, "x"] }', "'''\n'''",
        '"../../etc/passwd"', '"*"', '"nan"', '["none"]', '["file:/dev/null"]', "{ a.b.c.d = 1 }", '"5m"', '"-3s"',
        '{ name = "resize", size = 100000 }', '{ name = "cosine", warmup_steps = 99999999 }',
    ]
)  # fmt: skip


@st.composite
def mutants(draw):
    """A real spec with lines dropped, doubled, swapped, cut, or given another value."""
    lines = draw(st.sampled_from(STARTERS)).splitlines()
    for _ in range(draw(st.integers(1, 6))):
        if not lines:
            break
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["drop", "double", "swap", "cut", "value", "value", "key", "insert"]))
        if kind == "drop":
            del lines[at]
        elif kind == "double":
            lines.insert(at, lines[at])
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == "cut":
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
        elif kind == "value":
            lines[at] = f"{lines[at].partition('=')[0].strip() or 'name'} = {draw(ODD)}"
        elif kind == "key":
            lines[at] = draw(st.text(st.characters(codec="utf-8"), max_size=12)) + lines[at]
        else:
            lines.insert(at, draw(st.text(st.characters(codec="utf-8"), max_size=20)))
    return "\n".join(lines)


@fuzzed
@given(mutants())
def test_real_specs_with_something_wrong_in_them(attempt, text):
    assert located(attempt(text.encode("utf-8")))


NAMES = st.sampled_from(
    ["cnn", "vit", "vgg16", "logistic-regression", "knn", "digits", "normalize", "resize", "accuracy", "ece", "", "ß"]
)
VALUES = st.recursive(
    st.one_of(st.none().map(lambda _: "x"), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), NAMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["name", "label", "seeds", "params", "grid", "transforms", "training", "epochs", "steps", "batch_size", "optimizer",
     "schedule", "loss", "select", "time_limit", "metrics", "baseline", "validation", "train_limit", "keep_models", "x"]
)  # fmt: skip
TABLE = st.dictionaries(KEYS, st.one_of(VALUES, NAMES), max_size=5)


@fuzzed
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "benchmark": st.one_of(TABLE, VALUES),
            "dataset": st.one_of(st.lists(TABLE, max_size=2), VALUES),
            "training": st.one_of(TABLE, VALUES),
            "model": st.one_of(st.lists(TABLE, max_size=3), VALUES),
            "plugins": st.one_of(st.lists(st.text(max_size=8).map(lambda text: f"{text}.py"), max_size=2), VALUES),
            "other": VALUES,
        },
    )
)
def test_any_document(document):
    """As a mapping, which needs no TOML writer."""
    assert all(line.startswith("<spec>") for line in problems_of(document))


@fuzzed
@given(
    st.one_of(
        st.text(max_size=30),
        st.builds(
            lambda keys, value: f"{'.'.join(keys)}={value}",
            st.lists(st.one_of(KEYS, st.sampled_from(["benchmark", "dataset", "model", "cnn", "digits"])), max_size=4),
            st.one_of(ODD, st.text(max_size=10)),
        ),
    )
)
def test_any_override(attempt, argument):
    assert located(attempt(STARTERS[0].encode(), argument))


def test_the_starters_are_sound_but_for_the_size_of_digits(attempt):
    for text in STARTERS:
        assert tomli.loads(text)
        assert all("does not fit" in line for line in attempt(text.encode()))
