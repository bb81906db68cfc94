"""Run the `skdaf` command, also with `python -m skdaf`."""

import sys


def main():
    """Run the command. Ctrl-C prints one line also while the command is still being imported."""
    try:
        from skdaf.cli import main as command
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
