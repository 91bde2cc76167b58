"""Results that pages show: computed by the library once, then cached."""
