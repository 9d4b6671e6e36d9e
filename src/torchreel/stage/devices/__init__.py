"""Devices and errors on stage: boards that tensors cross, and the plate of two facts that clash."""
