"""Run the `skdaf` command with `python -m skdaf`."""

from skdaf.cli import main

if __name__ == "__main__":
    main()
