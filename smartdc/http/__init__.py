"""How a request travels: from Python values to bytes, over kept connections, and back."""
