"""Real counterparts that tests and benchmarks start: a database server, the lab itself, a browser."""
