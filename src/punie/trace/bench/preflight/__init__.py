"""A minute of measuring before a long benchmark: `__main__` measures in a process of its own, `judge` predicts."""
