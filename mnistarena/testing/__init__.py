"""Checks for plugin authors: does a component keep the promises that `mnistarena.plugin.components` describes?

    import mnistarena.testing

    @mnistarena.testing.parametrize("mlp", params={"hidden": 8})
    def test_mlp_keeps_its_promises(check):
        check.run()

Each check becomes a test of its own. `arena check mlp` runs the same checks from the command line.
"""

from mnistarena.testing.check import Check, Nonconformity, NotApplicable, Outcome
from mnistarena.testing.collect import checks, parametrize

__all__ = ["Check", "Nonconformity", "NotApplicable", "Outcome", "checks", "parametrize"]
