"""Figures that move in the browser: their data as plain values, and the scripts that draw them."""
