"""Tools that all other packages use; nothing here deals with audio.

- `files`: write files atomically.
- `cache`: store results in a folder that several processes can share.
- `parallel`: process chunks in workers, limit BLAS to one thread.
- `progress`: progress bars, and lines in log files.
- `fourier_backends`: take the user's choice of `scipy.fft.set_backend` along to workers.
- `contexts`: context managers that several threads can share.
- `arrays`: convert tensors of other libraries to NumPy arrays, split large arrays into blocks.
- `download`: download model files.
- `callables`: the names and parameters of functions and classes that users pass.
- `archives`: read zip archives and arrays from untrusted files.
- `interruption`: the warning that training was interrupted.
- `limits`: upper bounds for parameters that determine memory and time.
- `estimator`: the base class of all estimators.
- `public`: the decorator for public classes and functions.
- `user_warnings`: warnings that point to the line of the user.
- `validation`: typed versions of scikit-learn's decorators that validate parameters.
- `typing`: types that several public signatures share.
"""
