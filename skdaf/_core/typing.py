"""Types that several public signatures share."""

import os
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from pandas import DataFrame as DataFrame
else:
    # `typing.get_type_hints` looks this name up; importing pandas for it would take too long.
    DataFrame = Any

PathLike: TypeAlias = str | os.PathLike[str]

# X: files, waveforms or spectrograms, in any form that `skdaf._audio.inputs` accepts.
Clips: TypeAlias = Any
