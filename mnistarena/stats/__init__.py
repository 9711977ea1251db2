"""Statistics: pure functions of arrays, with numpy and scipy; no files."""
