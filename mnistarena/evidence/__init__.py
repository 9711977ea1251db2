"""What the stored predictions show: recipes, pairs, verdicts, changes between two runs."""
