"""Experiments: a scenario, and what it asks: one picture at many ε, a trajectory, the plane under a system."""
