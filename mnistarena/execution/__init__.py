"""A run: many trials, each in a process of its own, within their limits; what is done stays done."""
