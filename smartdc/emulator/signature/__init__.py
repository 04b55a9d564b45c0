"""Who signed, by the rules of CloudAPI."""
