"""The way of a request: from Python values to bytes, over kept connections, and back."""
