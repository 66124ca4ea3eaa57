"""One experiment: the task, its schedule, checkpoints, and what is seen of it while it runs."""
