"""The correction page: a local web server for one project."""
