"""The data: databases, cache, effects, expiry, checkpoints."""
