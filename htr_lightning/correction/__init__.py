"""A folder of pages that is read, corrected and learned from: its state on disk, without any web code."""
