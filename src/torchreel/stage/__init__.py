"""The Manim vocabulary: mobjects, and one choreography per kind of op (never imports torch)."""
