"""Model files, which contain estimators but no code.

- `models`: `save_model` and `load_model`.
- `writer`: the archive that `save_model` writes.
- `note`: the release that wrote a file.
- `outline`: what a file contains, without building it; `outline_values` checks its values.
- `schema`: read the description in a file, within limits.
- `trusted_types`: the types that a file may contain.
- `reader`: build objects of these types.
- `checks`: check the values in these objects; `tree_checks` and `estimator_checks` do this for
  scikit-learn's estimators; `conditions` contains what they share.
- `run_settings`: parameters of a run (paths, workers, devices), which files do not contain.
- `unused_fits`: fitted estimators in parameters, which files do not contain either.
"""
