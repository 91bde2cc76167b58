"""Components of pages that draw what they are given and know nothing of systems or attacks."""
