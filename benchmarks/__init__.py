"""Measured comparisons: `python -m benchmarks` runs all, `python -m benchmarks NAME` one; see `rows.py`."""
