"""What in the user's own code costs time: named by message, with what it costs and what to change."""
