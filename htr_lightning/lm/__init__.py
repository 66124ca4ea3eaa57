"""Character n-grams: how likely a text is, learnt from texts alone."""
