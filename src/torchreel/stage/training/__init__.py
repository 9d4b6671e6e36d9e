"""The training loop on stage: four stations in a ring, then the curve of many laps."""
