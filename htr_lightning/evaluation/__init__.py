"""What `evaluate` and `compare` find out: scores with intervals, confusions, calibration; as numbers and as a page."""
