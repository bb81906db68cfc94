"""Types of matplotlib in public signatures."""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes as Axes
    from matplotlib.colors import Colormap as Colormap
    from numpy.typing import NDArray

    ManyAxes: TypeAlias = Axes | Sequence[Axes] | NDArray[Any]
else:
    # `typing.get_type_hints` looks these names up, and matplotlib may not be installed.
    Axes = Colormap = ManyAxes = Any
