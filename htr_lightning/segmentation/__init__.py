"""Lines of writing found on the image of a page."""
