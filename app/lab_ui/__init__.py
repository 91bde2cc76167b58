"""What the pages share: words, controls, the shelf of systems and data, and how a result is shown."""
