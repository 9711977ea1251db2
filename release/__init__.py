"""What makes a release: the version of all distributions, and their wheels. `make version`, `make dist`."""
