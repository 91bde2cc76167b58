"""Parts of single pages, which are too long for the files of the pages."""
