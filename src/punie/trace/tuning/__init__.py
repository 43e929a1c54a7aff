"""Training a model to say less: its data, its training, its fused form, each in a process of its own."""
