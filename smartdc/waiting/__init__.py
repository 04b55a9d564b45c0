"""Wait for what CloudAPI does in its own time, and create things exactly once."""
