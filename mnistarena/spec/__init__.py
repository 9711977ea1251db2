"""A spec: the TOML document that says what to compare."""
