"""Configurations: their root keys, where they are found, what they may contain."""
