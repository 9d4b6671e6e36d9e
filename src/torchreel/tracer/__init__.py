"""Runs a script in a process of its own and returns what torch did (imports torch there)."""
