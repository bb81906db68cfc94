"""Types that several public signatures share."""

import os
from typing import Any, TypeAlias

PathLike: TypeAlias = str | os.PathLike[str]

# X: files, waveforms or spectrograms, in all the forms that `skdaf._audio.inputs` accepts.
Clips: TypeAlias = Any
