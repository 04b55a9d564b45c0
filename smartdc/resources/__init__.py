"""The things of an account other than machines."""
