"""Experiments: scenarios, one image at many ε, the trajectory of an attack, and planes of points or around an image."""
