"""The version, in a room that everybody may enter: nobody inside imports the package's root."""

__version__ = "0.1.0"
