"""The demo model, its draft and the sample project that its tools search."""
