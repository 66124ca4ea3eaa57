"""From frames to text."""
