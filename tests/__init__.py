"""Tests import their peers as tests.peers; the marker keeps a stray `tests` package elsewhere from winning."""
