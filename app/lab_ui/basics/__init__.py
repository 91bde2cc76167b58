"""What every other room of the app stands on: words, style, scenes, and what is loaded early."""
