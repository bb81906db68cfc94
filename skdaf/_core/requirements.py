"""How to install optional packages, for error messages."""


def how_to_install(packages, extra):
    """Return a command for packages, and the extra of this package that contains them.

    A message cannot know whether this package was installed from a checkout or by its name, so it
    has no command for the extra.
    """
    return f'pip install {packages}, or the extra "{extra}" of skdaf'
