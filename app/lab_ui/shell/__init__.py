"""What stands around the content of every page: the frame, and the controls that pages share."""
