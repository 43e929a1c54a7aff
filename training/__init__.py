"""How the demo models are made: `uv run --group train python -m training --help`."""
