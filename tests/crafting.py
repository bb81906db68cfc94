"""Model files made by hand, as somebody who means harm would make them."""

import io
import json
import zipfile

import numpy as np


def rewritten(path, **members):
    """Replace members of an archive."""
    with zipfile.ZipFile(path) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**old, **members}.items():
            if content is not None:
                archive.writestr(name, content)


def change_schema(path, change):
    """Change the attributes of the object in a file, as the schema has them."""
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
    attributes = schema["content"]
    change(attributes["content"])
    attributes["key_types"] = listed(*[of_type("builtins.str")] * len(attributes["content"]))
    rewritten(path, **{"schema.json": json.dumps(schema)})


def node(loader, name, **content):
    """Return what a schema holds for a thing of this name."""
    module, _, kind = name.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **content}


def plain(value):
    """Return the same for a number or a text."""
    return node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)


def listed(*nodes, kind="list"):
    return node(f"{kind.capitalize()}Node", f"builtins.{kind}", content=list(nodes))


def called(name, *arguments):
    """Return what makes skops call something, if it is trusted."""
    return node("ConstructorFromReduceNode", name, content=listed(*arguments, kind="tuple"))


def of_type(name):
    return node("TypeNode", name)


def mapping(**values):
    """Return what a schema holds for a dict whose keys are texts."""
    kinds = listed(*[of_type("builtins.str")] * len(values))
    return node("DictNode", "builtins.dict", key_types=kinds, content=values)


def instance(name, **attributes):
    return node("ObjectNode", name, content=mapping(**attributes))


def array(file, kind="numpy.ndarray", **more):
    """Return what a schema holds for an array in a member of the archive."""
    return node("NdArrayNode", kind, type="numpy", file=file, **more)


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def change_array(path, find, change):
    """Change the array in a file that `find` finds among the attributes of the object."""
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
        name = find(schema["content"]["content"])["file"]
        values = np.load(io.BytesIO(archive.read(name)))
    change(values)
    rewritten(path, **{name: npy(values)})


def attribute(path, name, value):
    """Set an attribute of the object in a file, as the schema has it."""

    def change(state):
        state[name] = value

    change_schema(path, change)


def write_crafted(path, schema, protocol=2, **members):
    """Write a file that seems to be one of save_model."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("schema.json", json.dumps({"protocol": protocol, **schema}))
        archive.writestr("skdaf.json", json.dumps({"skdaf": "0.1.0", "format": 1}))
