"""The storage engine: bytes, records, logs, backends. It knows nothing of Redis commands."""
