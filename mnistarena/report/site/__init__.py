"""A static site over many runs: an index, a leaderboard of every dataset that runs share, the reports."""
