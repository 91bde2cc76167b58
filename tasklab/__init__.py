"""tasklab: build, train, attack and understand task-aware classification systems."""
