"""HTML pages, charts and pictures shared by the reports of all commands."""
