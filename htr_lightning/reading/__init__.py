"""Recognition of lines and pages with a trained model."""
