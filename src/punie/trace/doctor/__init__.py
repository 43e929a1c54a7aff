"""What is installed, reachable and misconfigured: one small check a question."""
