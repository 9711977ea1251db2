"""The version of mnistarena, importable without the package root."""

__version__ = "0.1.0"
