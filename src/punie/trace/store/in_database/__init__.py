"""Engines that add up ledgers where the spans lie: what ClickHouse and DuckDB share."""
