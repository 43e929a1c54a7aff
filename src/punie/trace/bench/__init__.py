"""Benchmarks: what to run in which order, running it so that nothing is lost, what to measure beforehand."""
