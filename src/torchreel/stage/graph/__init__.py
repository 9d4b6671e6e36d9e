"""Autograd on stage: the graph that a backward pass walks, laid out and drawn."""
