from __future__ import annotations

import functools

from torch.export import decomp_utils, exported_program

# For each file torch's exporter looks through the operators of all libraries; the tests' files share what it finds.
for module in (decomp_utils, exported_program):
    if collect := getattr(module, "_collect_all_valid_cia_ops", None):
        module._collect_all_valid_cia_ops = functools.cache(collect)
