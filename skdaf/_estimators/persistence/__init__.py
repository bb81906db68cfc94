"""Model files: estimators without code.

- `models`: `save_model` and `load_model`.
- `schema`: read the description in a file, within bounds.
- `trusted_types`: the types that a file may name.
- `reader`: build objects of these types.
- `checks`: check the values that they hold.
- `run_settings`: parameters of a run (paths, workers, devices), which files do not keep.
"""
