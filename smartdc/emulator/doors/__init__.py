"""The ways into an emulator."""
