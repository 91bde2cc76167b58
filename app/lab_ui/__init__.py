"""What the pages share. Imports run one way only: basics, then visitor and parts, results, shell, panels."""
