"""Alignment of existing transcriptions to the lines of their pages."""
