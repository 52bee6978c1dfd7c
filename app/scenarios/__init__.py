"""Scenarios: checked, stored by content, shown and edited."""
