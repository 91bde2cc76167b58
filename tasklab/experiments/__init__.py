"""Experiments: a scenario, and what it asks: one image at many ε, a trajectory, the plane under a system."""
