"""Lines and pages read with a model."""
