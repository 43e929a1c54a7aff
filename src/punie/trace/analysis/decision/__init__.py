"""What to do about the time: one decision from a run and a benchmark of draft models."""
