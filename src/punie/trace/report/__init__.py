"""Reports: one file per format, one protocol: a `Report` in, text out. No report knows a command or a file."""
