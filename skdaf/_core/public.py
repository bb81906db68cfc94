"""The public name of a class or function, wherever in the package it is defined."""


def public(thing):
    """Let a class or function name `skdaf` as its module.

    Saved models, pickles, reprs and tracebacks then name what users import, and a file can move
    within the package without breaking a model that somebody has saved.
    """
    thing.__module__ = "skdaf"
    return thing
