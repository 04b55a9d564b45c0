"""The small languages that CloudAPI reads."""
