"""Tools that every other package uses; nothing here deals with audio.

- `files`: write files atomically.
- `cache`: results on disk, in a folder that processes can share.
- `parallel`: chunks of work, workers, progress bars, a single thread for BLAS.
- `contexts`: context managers that several threads share.
- `arrays`: tensors of other libraries as NumPy arrays, large arrays in blocks.
- `archives`: zip archives and arrays from untrusted files.
- `limits`: upper bounds for parameters that determine memory and time.
- `estimator`: the base class of all estimators.
- `public`: the decorator of public classes and functions.
- `validation`: scikit-learn's decorators that validate parameters, with types.
- `typing`: types that several public signatures share.
"""
