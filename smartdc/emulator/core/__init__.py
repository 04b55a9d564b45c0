"""What all of the emulator may use."""
