"""Write malicious model files, as an attacker would."""

import io
import json
import zipfile

import numpy as np


def rewritten(path, **members):
    """Replace members of an archive; None removes a member."""
    with zipfile.ZipFile(path) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**old, **members}.items():
            if content is not None:
                archive.writestr(name, content)


def change_schema(path, change):
    """Change the attributes of the object in a file, in the form of its schema."""
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
    attributes = schema["content"]
    change(attributes["content"])
    attributes["key_types"] = listed(*[of_type("builtins.str")] * len(attributes["content"]))
    rewritten(path, **{"schema.json": json.dumps(schema)})


def node(loader, name, **content):
    """Return the schema of an object with a node type and a dotted name."""
    module, _, kind = name.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **content}


def plain(value):
    """Return the schema of a number or a string."""
    return node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)


def listed(*nodes, kind="list"):
    """Return the schema of a list, or of a tuple."""
    return node(f"{kind.capitalize()}Node", f"builtins.{kind}", content=list(nodes))


def called(name, *arguments):
    """Return the schema of an object that skops creates by a call, if the name is trusted."""
    return node("ConstructorFromReduceNode", name, content=listed(*arguments, kind="tuple"))


def of_type(name):
    """Return the schema of a type."""
    return node("TypeNode", name)


def mapping(**values):
    """Return the schema of a dict whose keys are strings."""
    kinds = listed(*[of_type("builtins.str")] * len(values))
    return node("DictNode", "builtins.dict", key_types=kinds, content=values)


def instance(name, **attributes):
    """Return the schema of an object with attributes."""
    return node("ObjectNode", name, content=mapping(**attributes))


def array(file, kind="numpy.ndarray", **more):
    """Return the schema of an array in a member of the archive."""
    return node("NdArrayNode", kind, type="numpy", file=file, **more)


def npy(values):
    """Return the bytes of an .npy file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def change_array(path, find, change):
    """Change an array in a file; `find` returns its schema from the attributes of the object."""
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
        name = find(schema["content"]["content"])["file"]
        values = np.load(io.BytesIO(archive.read(name)))
    change(values)
    rewritten(path, **{name: npy(values)})


def attribute(path, name, value):
    """Set an attribute of the object in a file, in the form of its schema."""

    def change(state):
        state[name] = value

    change_schema(path, change)


def write_crafted(path, schema, protocol=2, **members):
    """Write a file that looks as if `save_model` had written it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("schema.json", json.dumps({"protocol": protocol, **schema}))
        archive.writestr("skdaf.json", json.dumps({"skdaf": "0.1.0", "format": 1}))
