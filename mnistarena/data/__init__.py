"""Datasets as arrays: checked, split, read from files, shared with worker processes."""
