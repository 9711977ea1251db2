"""Python's collector of reference cycles, off in the process that workers start from: modules are no garbage.

What it would look through grows with each import, to a second in all. Workers switch it on for themselves.
"""

from __future__ import annotations

import gc

gc.disable()
