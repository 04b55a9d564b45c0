"""The parts that every noun of the API is made of."""
