"""Hyper-V Top-Level Functional Specification: numbers and layouts, split by its chapters."""
