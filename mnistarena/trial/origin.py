"""The process that workers start from, made ready: it imports this module before all others.

Python's collector of reference cycles is off in it, since modules are no garbage: what it would look through grows with
each import, to a second in all. Workers switch it on for themselves. And it ends without taking its modules apart,
which would take as long again.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

if any("multiprocessing.forkserver" in one for one in sys.orig_argv):
    gc.disable()
    atexit.register(os._exit, 0)
