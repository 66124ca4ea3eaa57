"""Directions of writing."""
