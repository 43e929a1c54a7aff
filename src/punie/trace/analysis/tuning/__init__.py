"""Training a model to say less: what it is trained on, whether that can pay, and whether it did."""
