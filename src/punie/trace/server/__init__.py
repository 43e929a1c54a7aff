"""The model server: what to start, starting and stopping it, attaching to one that runs."""
