"""Deep audio features for scikit-learn."""

import lazy_loader

from skdaf._version import __version__ as __version__

# Public names are listed in `__init__.pyi`. Each is imported when it is first used, so that
# `import skdaf` does not import torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
