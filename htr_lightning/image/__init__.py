"""Pixels: from image files to preprocessed lines."""
