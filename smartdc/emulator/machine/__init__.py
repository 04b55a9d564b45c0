"""Machines, and all that belongs to one."""
