"""Which levers to try, what holds of what was measured, and when to stop."""
