"""The engine: commands of clients against the keyspace, durability, background work."""
