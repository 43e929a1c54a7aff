"""The demo model, its draft, the sample project that its tools search, and how the models were trained."""
