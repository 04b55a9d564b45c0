"""Connections that stay open: the changefeed and the screens of machines."""
