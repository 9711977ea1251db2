"""Costs of a model: operations against their formulas, latency that is bounded, processor time."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from mnistarena.engine import measure
from mnistarena.engine.batches import evaluation_size
from mnistarena.engine.flops import flops

IMAGE = torch.zeros(1, 1, 28, 28)
HEAD = 2 * 784 * 10
CPU = torch.device("cpu")


class Before(nn.Module):
    """A function of the images, then a linear layer."""

    def __init__(self, function):
        super().__init__()
        self.function, self.head = function, nn.Linear(784, 10)

    def forward(self, images):
        return self.head(self.function(images).reshape(1, -1)[:, :784])


class Rows(nn.Module):
    """A recurrent net over the rows of an image."""

    def __init__(self, kind, **options):
        super().__init__()
        self.recurrent = kind(28, 64, batch_first=True, **options)

    def forward(self, images):
        return self.recurrent(images[:, 0])[0]


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_are_counted_by_their_matrix_products(kind, gates):
    def layer(inputs):  # of 28 steps: the inputs' and the state's product with the weights of each gate
        return 2 * 28 * gates * 64 * (inputs + 64)

    assert flops(Rows(kind), IMAGE) == (layer(28), [])
    assert flops(Rows(kind, num_layers=2), IMAGE) == (layer(28) + layer(64), [])
    assert flops(Rows(kind, bidirectional=True), IMAGE) == (2 * layer(28), [])
    assert torch.backends.mkldnn.enabled == torch.backends.mkldnn.is_available()


def test_a_transformer_layer_in_evaluation_is_counted_by_its_matrix_products():
    before = torch.backends.mha.get_fastpath_enabled()
    layer = nn.TransformerEncoderLayer(28, 4, 64, batch_first=True)
    projections, attention, feed_forward = 2 * 28 * 28 * 28 * 4, 2 * 2 * 28 * 28 * 28, 2 * 28 * 28 * 64 * 2
    model = nn.Sequential(nn.Flatten(1, 2), layer)
    assert flops(model, IMAGE) == (projections + attention + feed_forward, [])
    assert torch.backends.mha.get_fastpath_enabled() == before


VECTOR, POINTS, EYE = torch.ones(28), torch.ones(784, 784), torch.eye(28)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x: x, []),
        (torch.relu, []),
        (lambda x: torch.fft.fft2(x).real, ["fft_c2c"]),
        (lambda x: torch.cdist(x.flatten(1), POINTS), ["euclidean_dist"]),
        (lambda x: (x[0, 0] @ VECTOR).repeat(28), ["mv"]),
        (lambda x: torch.dot(x.flatten(), x.flatten()).repeat(784), ["dot"]),
        (lambda x: torch.linalg.svd(x)[0], ["linalg_svd"]),
        (lambda x: torch.linalg.inv(x + EYE), ["linalg_inv_ex"]),
        (lambda x: nn.functional.grid_sample(x, torch.zeros(1, 28, 28, 2), align_corners=False), ["grid_sampler_2d"]),
        (lambda x: (x.flatten(1)[:, :, None] * POINTS).sum(1), ["elementwise"]),
    ],
)
def test_what_is_costly_and_not_counted_is_named(function, names):
    assert flops(Before(function), IMAGE) == (HEAD, names)


def test_an_operation_of_a_plugins_own_is_named():
    @torch.library.custom_op("arena_test::twice", mutates_args=())
    def twice(images: torch.Tensor) -> torch.Tensor:
        return images * 2

    assert flops(Before(twice), IMAGE) == (HEAD, ["arena_test::twice"])


@pytest.fixture
def costs():
    """The measurements of a module, and the notes."""

    def call(model, shape=(1, 28, 28)):
        notes = []
        amp = torch.autocast("cpu", enabled=False)
        return measure.costs(model, shape, device=CPU, amp=amp, note=notes.append), notes

    return call


def test_latency_is_of_one_image_and_of_an_evaluation_batch(costs):
    found, notes = costs(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    assert (found["flops_per_image"], set(found["latency_ms"]), notes) == (HEAD, {"1", "256"}, [])
    assert evaluation_size((3, 224, 224)) == 13
    found, _ = costs(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10)), (3, 224, 224))
    assert set(found["latency_ms"]) == {"1", "13"}


def test_the_latency_of_a_slow_model_takes_few_calls_and_of_too_large_a_batch_none(costs, monkeypatch):
    monkeypatch.setattr(measure, "SLOW_SECONDS", 0.4)
    sizes: list[int] = []

    class Slow(nn.Module):
        def forward(self, images):
            sizes.append(len(images))
            time.sleep(0.06 * len(images))
            return images

    found, notes = costs(Slow())
    assert set(found["latency_ms"]) == {"1"}
    assert found["latency_ms"]["1"]["p50"] == pytest.approx(60, rel=0.5)
    assert 1 <= found["latency_ms"]["1"]["calls"] <= 5
    assert max(sizes) <= 4
    assert "the latency of a batch of 256 was not measured: a call would take about" in notes[-1]
    assert found["latency_ms"]["1"]["p95"] is None, "of so few calls there is none"
    assert found["flops_per_image"] is None
    slower = measure.latency(lambda: time.sleep(0.3), CPU)
    assert slower["calls"] == 1
    assert slower["p50"] == pytest.approx(300, rel=0.3)


def test_a_95th_percentile_is_that_of_60_calls_which_are_made_where_they_are_quick(monkeypatch):
    found = measure.latency(lambda: time.sleep(0.008), CPU)  # about 30 in a quarter of a second
    assert found["calls"] == 60
    assert found["p95"] >= found["p50"] >= 8
    monkeypatch.setattr(measure, "P95_SECONDS", 0.3)
    fewer = measure.latency(lambda: time.sleep(0.008), CPU)
    assert 5 <= fewer["calls"] < 60
    assert fewer["p95"] is None


def test_what_raises_is_absent_and_said(costs):
    class Picky(nn.Module):
        def forward(self, images):
            if len(images) > 1 or torch.utils._python_dispatch._len_torch_dispatch_stack():
                raise RuntimeError("not with me\nsecond line")
            return images

    found, notes = costs(Picky())
    assert "flops_per_image" not in found
    assert set(found["latency_ms"]) == {"1"}
    assert notes == [
        "FLOPs were not counted: RuntimeError: not with me",
        "the latency of a batch of 256 was not measured: RuntimeError: not with me",
    ]


def test_processor_time_is_that_of_all_threads_and_of_programs_that_were_started():
    import subprocess
    import sys

    before = measure.cpu_seconds()
    began = time.process_time()
    while time.process_time() - began < 0.2:
        pass
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
    assert 0.45 < measure.cpu_seconds() - before < 2


def test_processor_time_that_threads_cannot_have_used_is_said():
    assert "used 4.0 s of processor time in 2.0 s, more than 1 thread" in measure.contradiction(4.0, 2.0, 1)
    assert measure.contradiction(4.0, 2.0, 2) is None
    assert measure.contradiction(2.9, 2.0, 1) is None
    assert measure.contradiction(0.9, 0.1, 1) is None
