"""Evaluation and comparison of models: scores with intervals, confusions, calibration; JSON and HTML reports."""
