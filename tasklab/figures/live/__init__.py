"""Interactive figures that run in the browser: their data as plain values, and the scripts that draw them."""
