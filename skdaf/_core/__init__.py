"""What every other package uses; knows nothing of sound.

- `files`: write files completely or not at all.
- `cache`: a folder of results on disk, shared by processes.
- `parallel`: chunks of work, workers, progress bars, one thread for linear algebra.
- `contexts`: contexts that several threads share.
- `arrays`: tensors of other libraries as NumPy arrays.
- `archives`: archives and arrays from strangers, read within bounds.
- `limits`: the largest values of parameters that ask for memory.
- `estimator`: the base class of all estimators.
- `public`: the public name of a class or function.
- `validation`: scikit-learn's checks of parameters, with types.
"""
