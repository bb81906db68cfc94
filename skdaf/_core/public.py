"""The public name of a class or function, wherever in the package it is defined."""

from typing import TypeVar

Thing = TypeVar("Thing")


def public(thing: Thing) -> Thing:
    """Set the module of a class or function to `skdaf`.

    Saved models, pickles, reprs and tracebacks then name what users import, and a file can move
    within the package without breaking a model that somebody has saved.
    """
    thing.__module__ = "skdaf"
    return thing
