"""The doctor: checks every line of a dataset before training, and reports what is wrong."""
