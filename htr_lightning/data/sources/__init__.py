"""Data sources: one module per dataset or format; each returns `htr_lightning.data.line.Line` records."""
