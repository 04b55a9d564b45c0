"""What speaks to other tools, in their own formats."""
