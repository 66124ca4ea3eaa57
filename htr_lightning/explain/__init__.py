"""What a model saw in a line: frame by frame, and which pixels each character depends on."""
