"""RESP: requests in, replies out."""
