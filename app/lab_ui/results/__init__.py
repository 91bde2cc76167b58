"""Results that pages show, computed by the library once and kept."""
