"""How often each clip takes part in an epoch."""

import numpy as np
from numpy.typing import NDArray


def draw_by_weight(
    rows: NDArray[np.integer], weights: NDArray[np.float64], offset: float
) -> NDArray[np.integer]:
    """Return rows, each as often as its weight says; fractions add up from row to row.

    With a random `offset` between 0 and 1, the expected number of times is the weight. Integer
    weights are exact with any offset below 1.
    """
    ends = np.floor(np.cumsum(weights) + offset).astype(int)
    return np.repeat(rows, np.diff(ends, prepend=0))
