"""A scene and a trace in, a clip out: stock Manim's frames, PyAV's files."""
