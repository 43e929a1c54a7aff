"""The report of a benchmark of draft models: sections for people, a JSON document for programs."""
