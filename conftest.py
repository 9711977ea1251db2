"""For all tests, the plugins' too."""

from __future__ import annotations

import os

# Tests run side by side, one to a core. Where each also computes with as many threads as there are cores, these
# wait for one another: a small training then takes up to thirty times as long. What tests threads sets them itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")
