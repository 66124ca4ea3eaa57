"""From files to batches: sources -> Line -> preprocess -> pack -> batch -> augment."""
