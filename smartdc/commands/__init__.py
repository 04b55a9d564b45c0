"""What ``python -m smartdc`` can do."""
