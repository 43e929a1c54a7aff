"""How the demo models are made: `python -m punie.trace.demo.training --help`. Needs the `train` packages."""
