"""Formats and limits of aligned transcriptions, which the command line shows without loading anything else."""

ALIGNED_FORMATS = ("alto", "page", "lines")
MIN_CONFIDENCE = 0.5
