"""What the documentation takes from the code: commands, configuration, Python API, floors, notebook."""
