"""Does a draft model help? From a benchmark's spans to a speed-up with its interval, and why it is what it is."""
