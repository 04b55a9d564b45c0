"""Plugins that Ansible loads from this folder by itself; nothing here imports them."""
