"""Character n-gram language models, trained from texts."""
