"""The question: a spec read from TOML, checked against its schema, every problem with file and line."""
