"""What a worker has for itself: a hash seed, processor cores, threads, memory, a working folder, temporary files."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Set
from contextlib import suppress
from pathlib import Path

from mnistarena.errors import cannot_write

THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "LOKY_MAX_CPU_COUNT"),
)
"""Where libraries look for the number of their threads when they are loaded."""

FOLDERS = (
    *("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TORCH_EXTENSIONS_DIR", "TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"),
    *("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "JOBLIB_TEMP_FOLDER"),
)
"""Variables that hold a folder, which may be relative to where the user is."""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Options of `mallopt` as glibc's malloc.h numbers them."""

OTHER_HASH_SEED = (
    "the process that trials start from was there before the run, with a hash seed other than 0: what a model draws "
    "from the order of a set of strings may differ from other runs; start the program with PYTHONHASHSEED=0"
)
"""What is said where a program that uses Python's forkserver itself has started it before it called us."""


def has_own_hash_seed() -> bool:
    """Whether strings hash otherwise here than in every other worker."""
    return bool(sys.flags.hash_randomization)


def keep_to(cores: Set[int]) -> None:
    """Stay on these processor cores, with all threads and processes that will be started; without any, on all."""
    if cores and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # the container was given other cores meanwhile
            os.sched_setaffinity(0, cores)


def limit_threads(threads: int) -> None:
    """Tell libraries that are loaded from now on, and programs that are started, how many threads to compute with."""
    os.environ.update(dict.fromkeys(THREADS, str(threads)))


def keep_memory() -> None:
    """Have this process keep memory that it frees, for what it allocates next.

    Else glibc gives every block over 32 MB back to the system, which clears each page when it is used again: gradients
    and bfloat16 copies of a large layer are such blocks, new in each step. Other libraries have no `mallopt`.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


def move_into(temporary: Path) -> None:
    """Make a trial's folder for temporary files, let all use it, and be in a folder of the trial's own within it.

    `tempfile` and every program that the trial starts put their files there, so that they end with the trial.
    """
    working = temporary / "working"
    try:
        working.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise cannot_write(f"in {temporary.parent}", problem) from problem
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
    os.environ.pop("PYTHONSAFEPATH", None)  # it was for this process; programs that it starts find what they always did
    for name in FOLDERS:
        if os.environ.get(name):
            os.environ[name] = os.path.abspath(os.environ[name])
    if "PYTHONPATH" in os.environ:
        os.environ["PYTHONPATH"] = os.pathsep.join(map(_absolute, os.environ["PYTHONPATH"].split(os.pathsep)))
    sys.path[:] = map(_absolute, sys.path)
    os.chdir(working)


def _absolute(entry: str) -> str:
    # An editable installation has an entry that is no path at all.
    return os.path.abspath(entry) if os.path.exists(entry or os.curdir) else entry
