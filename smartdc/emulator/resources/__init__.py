"""The other resources of an account."""
