"""Segmentation of page images into regions and text lines."""
