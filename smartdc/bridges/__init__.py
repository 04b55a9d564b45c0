"""Output for other tools, in their own formats."""
