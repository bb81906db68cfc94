"""Write the archive of a model file, whose bytes depend only on the model.

skops names members and numbers objects by their addresses in memory, and the archive contains the
time. `repacked` replaces these, so that the same model gives the same file: in every process, and
after it was loaded. Readers need neither names nor numbers to be of a certain kind.
"""

import io
import json
import os
import zipfile

from skdaf._estimators.persistence.note import FORMAT, NOTE
from skdaf._estimators.persistence.trusted_types import FULL_NAMES
from skdaf._version import __version__

# The earliest time that an archive can contain.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX, _PERMISSIONS = 3, 0o600

# Values that never change: whether two of them are the same object makes no difference, and Python
# decides it differently from process to process.
_CONSTANTS = {"DTypeNode", "FunctionNode", "JsonNode", "SliceNode", "TupleNode", "TypeNode"}


def repacked(content):
    """Return an archive of skops in its normal form, with a note of this release.

    Each object is written only once, and nothing depends on the process or the time.

    Parameters
    ----------
    content : bytes
        From `skops.io.dumps`.

    Returns
    -------
    content : bytes
    """
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        normalizer = _Normalizer(old)
        schema = json.loads(old.read("schema.json"), object_hook=_with_full_name)
        schema = normalizer.normal(schema)
        for old_name, name in normalizer.members.items():
            _write(new, name, old.read(old_name))
        _write(new, "schema.json", json.dumps(schema, separators=(",", ":")))
        _write(new, NOTE, json.dumps({"skdaf": __version__, "format": FORMAT}))
    return file.getvalue()


def _write(archive, name, content):
    member = zipfile.ZipInfo(name, _TIME)
    member.create_system, member.external_attr = _UNIX, _PERMISSIONS << 16
    archive.writestr(member, content, zipfile.ZIP_DEFLATED)


def _with_full_name(state):
    """Replace the name of a module that cannot be imported with its full name."""
    module = state.get("__module__")
    is_known = isinstance(module, str) and module in FULL_NAMES
    return {**state, "__module__": FULL_NAMES[module]} if is_known else state


class _Normalizer:
    """Give the objects and members in a schema numbers in the order in which they first occur.

    Parameters
    ----------
    archive : ZipFile
        The archive with the members.

    Attributes
    ----------
    members : dict
        The new name of each member by its old name.
    """

    def __init__(self, archive):
        self._archive = archive
        self._numbers = {}
        self.members = {}

    def normal(self, schema):
        """Return a part of a schema with other numbers and names."""
        if isinstance(schema, list):
            return [self.normal(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        if not isinstance(schema.get("__loader__"), str):
            return {key: self.normal(part) for key, part in schema.items()}
        return self._normal_node(schema)

    def _normal_node(self, schema):
        loader, old_id = schema["__loader__"], schema["__id__"]
        node = {key: schema[key] for key in ("__class__", "__module__", "__loader__")}
        is_known = old_id in self._numbers
        if loader not in _CONSTANTS:
            # skops takes 0 for no number.
            node["__id__"] = self._numbers.setdefault(old_id, len(self._numbers) + 1)
        if loader == "ObjectNode" and is_known:
            return node  # refers to the object
        for key, part in self._sorted(schema).items():
            if key == "file":
                node[key] = self._member(part)
            elif key not in ("__class__", "__module__", "__loader__", "__id__"):
                node[key] = self.normal(part)
        return node

    def _sorted(self, schema):
        """Return a node with its parts in an order that depends only on them, if they have none."""
        content = schema.get("content")
        if schema["__loader__"] == "SetNode":
            return {**schema, "content": sorted(content, key=self._text)}
        if schema["__loader__"] == "ObjectNode" and content and content["__loader__"] == "DictNode":
            # The names of attributes are strings, so the types of the keys need not be sorted.
            attributes = dict(sorted(content["content"].items()))
            return {**schema, "content": {**content, "content": attributes}}
        return schema

    def _text(self, schema):
        """Return a text that is the same for the same values in other places of memory."""
        if isinstance(schema, list):
            return str([self._text(part) for part in schema])
        if not isinstance(schema, dict):
            return repr(schema)
        parts = {key: self._text(part) for key, part in schema.items() if key != "__id__"}
        if isinstance(schema.get("file"), str):
            parts["file"] = self._archive.read(schema["file"]).hex()
        return str(parts)

    def _member(self, old_name):
        number = len(self.members) + 1
        return self.members.setdefault(old_name, f"{number}{os.path.splitext(old_name)[1]}")
