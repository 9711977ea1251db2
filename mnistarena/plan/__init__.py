"""Spec × plugins: every recipe and trial of a run, fully resolved, each trial with its identity."""
