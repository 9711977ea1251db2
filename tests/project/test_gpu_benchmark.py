"""`python -m benchmarks gpu` without a GPU: it says so row by row; its contenders and its proof run on a processor."""

from __future__ import annotations

import pytest
import torch

from benchmarks import gpu
from benchmarks.rows import Turns
from mnistarena.engine.agreement import Agreement


@pytest.mark.skipif(torch.cuda.is_available(), reason="here it would measure")
def test_without_a_gpu_every_row_says_so():
    rows = gpu.run(1)
    assert {row.measured for row in rows} == {"unmeasured: no GPU on this machine"}
    assert {row.met for row in rows} == {None}
    assert sum("stock loop" in row.what for row in rows) == 4
    assert sum("two replays" in row.what for row in rows) == 8


def test_its_contenders_and_its_proof_run_on_a_processor():
    asked = gpu.everyone("cnn", "cpu", images=128, slow=128)
    rates = {name: [function(*arguments)] for name, (function, arguments) in asked.items()}
    assert all(rate > 0 for (rate,) in rates.values())
    found = gpu.proof("cnn", "cpu", "bf16", False)
    assert not found["recorded"]
    assert gpu.told(found) == ("not recorded: it is trained kernel by kernel", False)
    same = gpu.told({**found, "recorded": True})
    assert same == ("equal bits: 212,542 numbers, 5 times", True)
    rows = gpu.rows("cnn", Turns(rates), [found] * 4, why="Lightning is not installed")
    missing = {row.what for row in rows if row.measured == "unmeasured: Lightning is not installed"}
    assert all("Lightning" in what for what in missing)
    assert rows[0].target == "≥ 40×"
    assert rows[0].met == (rates["bf16"][0] >= 40 * rates["stock"][0])
    assert "stock" in rows[0].detail


def test_replays_may_be_as_far_from_ordinary_steps_as_those_are_from_themselves():
    near, far = (Agreement(10, 3, largest=1e-4, share=share) for share in (0.01, 0.02))
    said = (
        "3 of 10 numbers differ, by 1.0e-04 at most and 1.0e-02 of their change; ordinary steps from themselves by "
        "2.0e-02 of it"
    )
    assert gpu.told({"recorded": True, "replayed": [near], "ordinary": [far]}) == (said, True)
    assert not gpu.told({"recorded": True, "replayed": [far], "ordinary": [near]})[1]
