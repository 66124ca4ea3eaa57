"""Readers: one module per format, each yielding `htr_lightning.data.line.Line`."""
