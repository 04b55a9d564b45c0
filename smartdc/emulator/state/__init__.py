"""What an emulator remembers, and how it changes with time."""
