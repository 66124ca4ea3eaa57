"""Explanations: the network's output for a line, frame by frame, and the pixels that each character depends on."""
