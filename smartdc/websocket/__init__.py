"""WebSockets, for the changefeed and the screens of machines: opening, connection, stream."""
