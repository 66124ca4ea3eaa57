"""Pages of HTML that need nothing else: what the reports of all commands have in common."""
