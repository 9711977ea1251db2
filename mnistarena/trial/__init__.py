"""One trial, inside its own process: build, train, predict, measure, score."""
