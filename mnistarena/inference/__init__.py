"""What a finished trial's model says of further images."""
