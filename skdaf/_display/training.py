"""TrainingDisplay: show losses and scores by epoch."""

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils._param_validation import StrOptions

from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._display.style import COLORS, check_axes, new_figure, require_matplotlib
from skdaf._display.typing import ManyAxes
from skdaf._estimators.fitted import find_network

_CURVES = [
    ("train", "Training", {"color": COLORS[0], "marker": "o", "linestyle": "-"}),
    ("valid", "Validation", {"color": COLORS[3], "marker": "s", "linestyle": "--"}),
]

# The largest number of markers on a line.
_MAX_MARKERS = 20


@public
class TrainingDisplay:
    """Show the losses and scores of a training run by epoch, and which epoch was kept.

    Create a display with `from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    history : dict of lists
        One value per epoch, as in the attribute `history_` of a network estimator: "train_loss"
        and, if available, "valid_loss", "train_score" and "valid_score".
    best_epoch : int, default=None
        The epoch to mark, counted from 1.
    loss_name : str, default="Loss"
        The name of the loss.
    score_name : str, default="Accuracy"
        The name of the score.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The axes of the losses, and the axes of the scores if there are any.
    figure_ : matplotlib Figure
        The figure that contains them.
    lines_ : dict of matplotlib Line2D
        The curves; the keys are those of `history`.
    best_lines_ : list of matplotlib Line2D
        The vertical lines at the best epoch, one per axes.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skdaf import TrainingDisplay
    >>> history = {"train_loss": [1.2, 0.7, 0.5], "valid_loss": [1.1, 0.8, 0.9]}
    >>> display = TrainingDisplay(history, best_epoch=2).plot()
    >>> sorted(display.lines_)
    ['train_loss', 'valid_loss']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        history: dict[str, list[float]],
        *,
        best_epoch: int | None = None,
        loss_name: str = "Loss",
        score_name: str = "Accuracy",
    ):
        self.history = history
        self.best_epoch = best_epoch
        self.loss_name = loss_name
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        kind: Literal["both", "loss", "score"] = "both",
        ax: "ManyAxes | None" = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Show how a fitted estimator was trained.

        The best epoch is marked if clips were held out (`early_stopping=True`, or X_val and y_val).

        Parameters
        ----------
        estimator : estimator, str or os.PathLike
            A fitted `CNNAudioClassifier` or `ConvAutoencoderEmbedder`; a pipeline, a search or an
            extractor that contains one; or the path of a saved model.
        kind : {"both", "loss", "score"}, default="both"
            What to show.
        ax : matplotlib Axes or array of Axes, default=None
            The axes to draw on; two for "both" if there are scores. If None, a new figure is
            created.
        line_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : TrainingDisplay
            The display.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        network = find_network(estimator)
        loss = "Loss (cross-entropy)" if is_classifier(network) else "Mean squared error"
        history = network.history_frame().to_dict("list")
        # Without validation, the last epoch counts as the best.
        best_epoch = network.best_epoch_ if "valid_loss" in history else None
        display = cls(history, best_epoch=best_epoch, loss_name=loss)
        return display.plot(ax, kind=kind, line_kw=line_kw)

    @validate_params({"kind": [StrOptions({"both", "loss", "score"})], "line_kw": [dict, None]})
    def plot(
        self,
        ax: "ManyAxes | None" = None,
        *,
        kind: Literal["both", "loss", "score"] = "both",
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            The axes to draw on; two for "both" if there are scores. If None, a new figure is
            created.
        kind : {"both", "loss", "score"}, default="both"
            What to show.
        line_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        self : TrainingDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        values = [value for value in ("loss", "score") if kind in ("both", value)]
        values = [value for value in values if f"train_{value}" in self.history]
        if not values:
            raise ValueError(
                f"There is nothing to draw for kind={kind!r}: the history contains only "
                f"{list(self.history)}."
            )
        if ax is None:
            _, axes = new_figure(1, len(values), size=(1.0 + 4.0 * len(values), 3.4), squeeze=False)
            axes = axes.ravel()
        else:
            axes = check_axes(ax, len(values))
        self.lines_: dict[str, Any] = {}
        self.best_lines_: list[Any] = []
        for panel, value in zip(axes, values, strict=True):
            self._draw(panel, value, line_kw or {})
        self.ax_ = axes[0] if len(axes) == 1 else axes
        self.figure_ = axes[0].figure
        return self

    def _draw(self, ax, value, options):
        from matplotlib.ticker import MaxNLocator

        n_epochs = len(self.history[f"train_{value}"])
        for name, label, style in _CURVES:
            curve = self.history.get(f"{name}_{value}")
            if curve is not None:
                style = {**style, "markevery": -(-n_epochs // _MAX_MARKERS), "markersize": 4}
                style |= options
                [line] = ax.plot(np.arange(1, n_epochs + 1), curve, label=label, **style)
                self.lines_[f"{name}_{value}"] = line
        if self.best_epoch is not None:
            label = f"Best epoch ({self.best_epoch})"
            self.best_lines_.append(
                ax.axvline(self.best_epoch, color="0.25", linestyle=":", label=label, zorder=1)
            )
        ax.set(xlabel="Epoch", ylabel=self.loss_name if value == "loss" else self.score_name)
        # No ticks between epochs, or before the first one.
        ax.set_xlim(0.5, n_epochs + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.legend(fontsize="small")
