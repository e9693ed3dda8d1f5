"""The edge: sockets, threads, signals; the only place that knows trio."""
