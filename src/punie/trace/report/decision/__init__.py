"""The report of a decision: one document, written as text, Markdown or JSON."""
