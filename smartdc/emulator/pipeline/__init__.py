"""What a request passes on its way to a handler and back."""
