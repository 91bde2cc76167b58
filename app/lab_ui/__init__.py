"""What the pages share, in rooms whose imports point one way: basics, visitor and parts, results, shell, panels."""
