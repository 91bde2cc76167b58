"""What every page has around its content: its frame and the controls that pages share."""
