"""The way of a request to a handler and back."""
