"""What belongs to visitors: who they are, the systems that they may look at, their files and their jobs."""
