"""Values: what a key can hold, and its form on disk."""
