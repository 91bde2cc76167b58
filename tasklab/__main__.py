"""``python -m tasklab`` is the command line."""

from tasklab.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
