"""The datasets that ship with mnistarena."""
