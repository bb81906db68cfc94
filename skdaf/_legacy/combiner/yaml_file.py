"""Read a YAML file with nothing but plain values."""

from skdaf._core.requirements import MissingPackageError, how_to_install

_MAX_BYTES = 2**20


def read_yaml(path):
    """Return the value in a YAML file.

    Tags of Python are refused, as by `yaml.safe_load`. So are keys that occur twice, of which YAML
    libraries ignore one, and aliases, with which a small file can describe a huge value.

    Raises
    ------
    ImportError
        If PyYAML is not installed.
    OSError
        If the file cannot be read.
    ValueError
        If it is not such a file. The error names the file and the line.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingPackageError(
            f"Reading {path!r} needs PyYAML. Install it with: " + how_to_install("pyyaml", "config")
        ) from error
    with open(path, "rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"{path!r} is not a configuration file: it is too large.")
    try:
        return yaml.load(content, Loader=_strict_loader(yaml))
    except RecursionError as error:
        raise ValueError(f"{path!r} cannot be read as YAML: it is nested too deeply.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path!r} cannot be read as YAML: {_reason(error)}.") from error


def _reason(error):
    """Return what is wrong, in one line and without a copy of the text."""
    parts = getattr(error, "context", None), getattr(error, "problem", None)
    text = " ".join((", ".join(filter(None, parts)) or str(error)).split()).rstrip(".")
    mark = getattr(error, "problem_mark", None)
    return text if mark is None else f"{text} (line {mark.line + 1}, column {mark.column + 1})"


def _strict_loader(yaml):
    """Return a class that reads YAML; a function, because PyYAML is optional."""

    class StrictLoader(yaml.SafeLoader):
        """A SafeLoader that refuses aliases and keys that occur twice."""

        def compose_node(self, parent, index):
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark
                raise yaml.MarkedYAMLError(None, None, "aliases (*) are not supported", mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node, deep=False):
            known = set()
            for key, _ in node.value:
                name = str(key.value)
                if name in known:
                    problem = f"the key {name!r} occurs twice"
                    raise yaml.MarkedYAMLError(None, None, problem, key.start_mark)
                known.add(name)
            return super().construct_mapping(node, deep)

    return StrictLoader
