"""The hooks of plugins, what they return and are given, and how installed plugins are found and loaded."""
