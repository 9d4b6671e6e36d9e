"""A scene and a slice of a trace in, a clip out."""
