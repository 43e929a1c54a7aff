"""Two sides held against each other: what differs, by how much, and whether that is more than noise."""
