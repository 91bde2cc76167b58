"""Live and small parts of pages, without knowledge of what they show."""
