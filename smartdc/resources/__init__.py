"""What else an account has."""
