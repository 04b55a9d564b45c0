"""What every noun of the API is made of."""
