"""Rules: which requests have which budget, and which of them exceeded it."""
