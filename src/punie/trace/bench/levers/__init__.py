"""Levers: named differences to a baseline. One file each, one line in `registry.py`."""
