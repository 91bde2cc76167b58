"""What all the other packages of the app import: words, style, scenes, waiting and preloading."""
