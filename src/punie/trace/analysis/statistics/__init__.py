"""Estimates and their intervals, from values to values; the standard library only."""
