"""`python -m skdaf` is the `skdaf` command."""

from skdaf.cli import main

if __name__ == "__main__":
    main()
