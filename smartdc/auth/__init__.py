"""The identity of the caller, and its key."""
