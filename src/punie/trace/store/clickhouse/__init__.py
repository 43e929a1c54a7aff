"""ClickHouse: the table of the Collector's exporter and Jaeger's own, through the real client (an extra).

The newest traces are read, whole, as many as the limit says; that there are more is said in a note.
"""
