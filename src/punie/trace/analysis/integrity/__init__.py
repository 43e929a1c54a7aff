"""What can be wrong with traces: one file for each side of them, one table of slugs and effects (`finding`)."""
