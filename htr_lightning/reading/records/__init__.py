"""What is known of the pages in a folder of results: records, the settings they were read with, and an index."""
