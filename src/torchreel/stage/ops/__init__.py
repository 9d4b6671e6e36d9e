"""Choreographies: one file per family of ops."""
