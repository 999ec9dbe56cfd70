"""Finds what can go wrong with a system, and repairs what can be repaired without a loss."""
