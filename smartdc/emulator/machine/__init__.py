"""Machines, and everything that belongs to one."""
