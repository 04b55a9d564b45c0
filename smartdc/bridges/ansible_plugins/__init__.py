"""Plugins that Ansible itself loads from this folder; this package does not import them."""
