"""Types that several public signatures share."""

import os
from typing import Any, TypeAlias

PathLike: TypeAlias = str | os.PathLike[str]

# X: files, waveforms or spectrograms, in any form that `skdaf._audio.inputs` accepts.
Clips: TypeAlias = Any
