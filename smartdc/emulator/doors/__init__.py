"""The doors of an emulator: adapter, HTTP server and WSGI."""
