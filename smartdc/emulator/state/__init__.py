"""The state of an emulator, and how it changes with time."""
