"""Verification of signatures, by the rules of CloudAPI."""
