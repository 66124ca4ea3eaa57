"""Scans and results in remote storage: files are copied, block by block, to where they are read and written."""
