"""What an experiment compares, and what it shows of any arms."""
