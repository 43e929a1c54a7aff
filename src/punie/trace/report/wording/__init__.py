"""The sentences of all reports: one topic a file, made from the reasons and figures of the analysis."""
