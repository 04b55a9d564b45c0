"""Wait for jobs and states of CloudAPI, and create things exactly once."""
