"""Live sessions: engine processes, their viewers and their ends."""
