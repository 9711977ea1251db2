"""Does a plugin keep the promises of `mnistarena.components`? Checks for plugin authors, one test each.

    import mnistarena.testing

    @mnistarena.testing.parametrize("mlp", params={"hidden": 8})
    def test_mlp_keeps_its_promises(check):
        check.run()

`arena check mlp` runs the same checks from the command line.
"""

from mnistarena.testing.check import Check, Nonconformity, NotApplicable, Outcome
from mnistarena.testing.collect import checks, parametrize

__all__ = ["Check", "Nonconformity", "NotApplicable", "Outcome", "checks", "parametrize"]
