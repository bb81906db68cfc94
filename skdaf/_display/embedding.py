"""EmbeddingDisplay: show clips as points in two dimensions."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skdaf._core.public import public
from skdaf._core.typing import Clips, DataFrame
from skdaf._display.network_output import features_of
from skdaf._display.point_labels import (
    MAX_NAME_LENGTH,
    NO_LABEL,
    is_continuous,
    known_labels,
    legend_width,
    n_columns,
    one_per_point,
)
from skdaf._display.style import (
    COLORS,
    N_STYLES,
    check_axes,
    class_styles,
    new_figure,
    plain_text,
    require_matplotlib,
    time_ticks,
)
from skdaf._display.typing import Axes
from skdaf._estimators.fitted import unwrap

_SIZE = 5.0, 4.6  # inches, without the legend
_GRAY = "0.6"  # the color of points whose label is missing


@public
class EmbeddingDisplay:
    """Show clips as points in two dimensions, colored by class, or the path of a recording.

    Create a display with `from_estimator`, `from_embeddings` or, for the windows of a long
    recording, `from_segments`. All parameters are stored as attributes.

    Parameters
    ----------
    points : array-like of shape (n_clips, 2)
        The position of each clip.
    labels : array-like of shape (n_clips,), default=None
        The class of each clip, shown by color and marker: up to 70 classes look different. Real
        numbers are shown on a color scale.
        Points whose label is missing (None, NaN or NA) are gray.
    axis_names : tuple of two str, default=("First dimension", "Second dimension")
        The names of the axes.
    times : array-like of shape (n_clips,), default=None
        The time of each clip in its recording, in seconds. A thin line joins the points in the
        order of time. Without labels, points are colored by time.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure that contains them.
    scatters_ : dict of matplotlib PathCollection
        The points of each class; points without classes have the key None, and those whose label
        is missing the key "no label".
    legend_ : matplotlib Legend or None
        The legend of the classes and of missing labels.
    colorbar_ : matplotlib Colorbar or None
        The color bar of real numbers or of time.
    path_ : matplotlib Line2D or None
        The line that joins the points in the order of time.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skdaf import EmbeddingDisplay
    >>> embeddings = np.random.default_rng(0).standard_normal((20, 8))
    >>> display = EmbeddingDisplay.from_embeddings(embeddings, ["cat", "dog"] * 10)
    >>> [text.get_text() for text in display.legend_.get_texts()]
    ['cat', 'dog']
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        points: ArrayLike,
        *,
        labels: ArrayLike | None = None,
        axis_names: tuple[str, str] = ("First dimension", "Second dimension"),
        times: ArrayLike | None = None,
    ):
        self.points = points
        self.labels = labels
        self.axis_names = axis_names
        self.times = times

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Clips,
        y: ArrayLike | None = None,
        *,
        projection: Any = None,
        ax: "Axes | None" = None,
        scatter_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Show the output of a fitted transformer or network.

        Parameters
        ----------
        estimator : estimator, str or os.PathLike
            A fitted transformer, such as `CNNFeatureExtractor` or `ConvAutoencoderEmbedder`, or
            the path of a saved model. For a `CNNAudioClassifier`, the input of its last layer is
            shown; for a pipeline that ends in another classifier, the input of that classifier; for
            a combined classifier, that of the block with the network. If several blocks have
            networks, pass one of them, such as ``combined.named_estimators_["cnn1"]``.
        X : files, waveforms or spectrograms
            The clips.
        y : array-like of shape (n_clips,), default=None
            The label of each clip.
        projection : transformer, default=None
            Reduces the embeddings to two dimensions. It is cloned and fitted on them. To use a
            fitted transformer as it is, pass it in a ``FrozenEstimator``. If None, ``PCA(2)``.
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.
        scatter_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            The display.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        return cls.from_embeddings(
            features_of(estimator, X), y, projection=projection, ax=ax, scatter_kw=scatter_kw
        )

    @classmethod
    def from_embeddings(
        cls,
        embeddings: ArrayLike,
        y: ArrayLike | None = None,
        *,
        projection: Any = None,
        ax: "Axes | None" = None,
        scatter_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Show embeddings.

        Parameters
        ----------
        embeddings : array-like of shape (n_clips, n_features)
            One row per clip.
        y : array-like of shape (n_clips,), default=None
            The label of each clip.
        projection : transformer, default=None
            Reduces the embeddings to two dimensions, as in `from_estimator`.
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.
        scatter_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            The display.
        """
        require_matplotlib(f"{cls.__name__}.from_embeddings")
        embeddings = np.asarray(embeddings)
        one_per_point(y, "y", embeddings)
        points, names = _project(embeddings, projection)
        return cls(points, labels=y, axis_names=names).plot(ax, scatter_kw=scatter_kw)

    @classmethod
    def from_segments(
        cls,
        segments: "DataFrame",
        y: ArrayLike | None = None,
        *,
        projection: Any = None,
        ax: "Axes | None" = None,
        scatter_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Show the path of a long recording through the space of its features.

        Parameters
        ----------
        segments : pandas.DataFrame
            One row per window of one recording, as returned by `transform_segments`: `start`,
            `end` (s) and features. Other columns must contain numbers, because they are features.
        y : array-like of shape (n_windows,), default=None
            The label of each window, such as the `label` that `predict_segments` returns for it;
            windows without a label are gray. If None, points are colored by time: that of the
            middle of their windows.
        projection : transformer, default=None
            Reduces the features to two dimensions, as in `from_estimator`. If None, ``PCA(2)``. If
            the features differ in scale, as hand-crafted ones do,
            ``make_pipeline(StandardScaler(), PCA(2))``.
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.
        scatter_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            The display.
        """
        require_matplotlib(f"{cls.__name__}.from_segments")
        times, features = _times_and_features(segments)
        one_per_point(y, "y", features)
        points, names = _project(features, projection)
        display = cls(points, labels=y, axis_names=names, times=times)
        return display.plot(ax, scatter_kw=scatter_kw)

    def plot(self, ax: "Axes | None" = None, *, scatter_kw: dict[str, Any] | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The axes to draw on. If None, a new figure is created.
        scatter_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        self : EmbeddingDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        points = np.asarray(self.points, dtype=float)
        times = one_per_point(self.times, "times", points)
        labels, is_labeled = known_labels(self.labels, points)
        if ax is None:
            width = legend_width(times if labels is None else labels, is_labeled)
            _, ax = new_figure(size=(_SIZE[0] + width, _SIZE[1]))
        [self.ax_] = check_axes(ax, 1)
        self.figure_ = self.ax_.figure
        self.scatters_: dict[Any, Any] = {}
        self.legend_ = self.colorbar_ = self.path_ = None
        options = {"s": 24, "alpha": 0.8, "linewidths": 0.4, "edgecolors": "white"}
        options |= scatter_kw or {}
        if times is not None:
            self._draw_path(points[np.argsort(times, kind="stable")])
        if labels is not None:
            self._draw_labels(points, labels, is_labeled, options)
        elif times is not None:
            ticks, formatter, name = time_ticks(times.min(), times.max())
            # In "cividis", the color of the middle would be the gray of the path.
            options = {"cmap": "viridis", **options}
            self._draw_scale(points, times, options, label=name, ticks=ticks, format=formatter)
        else:
            self.scatters_[None] = self.ax_.scatter(*points.T, color=COLORS[0], **options)
        self.ax_.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        return self

    def _draw_path(self, points):
        # Below the points, and thin, because it crosses itself in long recordings.
        [self.path_] = self.ax_.plot(*points.T, color="0.7", linewidth=0.6, zorder=0.9)

    def _draw_scale(self, points, values, options, **bar):
        """Draw points colored by real numbers, and the color bar."""
        options = {"c": values.astype(float), "cmap": "cividis", **options}
        self.scatters_[None] = self.ax_.scatter(*points.T, **options)
        self.colorbar_ = self.figure_.colorbar(self.scatters_[None], ax=self.ax_, **bar)

    def _draw_labels(self, points, labels, is_labeled, options):
        """Draw points with a label by class or on a scale, and the others in gray."""
        is_scale = is_continuous(labels)
        if is_scale:
            self._draw_scale(points[is_labeled], labels, options, label="Target")
        else:
            self._draw_classes(points[is_labeled], labels, options)
        if not is_labeled.all():
            # Below the other points. Options of color scales have no meaning for one color.
            others = {k: v for k, v in options.items() if k not in ("cmap", "norm", "vmin", "vmax")}
            others |= {"color": _GRAY, "label": NO_LABEL, "zorder": 0.95}
            self.scatters_[NO_LABEL] = self.ax_.scatter(*points[~is_labeled].T, **others)
        if not is_scale:
            self._add_legend(len(self.scatters_))
        elif not is_labeled.all():
            # The color bar is beside the axes.
            self.legend_ = self.ax_.legend(fontsize="small")

    def _draw_classes(self, points, labels, options):
        classes = np.unique(labels)
        for label, (color, marker) in zip(classes, class_styles(len(classes)), strict=True):
            self.scatters_[label] = self.ax_.scatter(
                *points[labels == label].T,
                color=color,
                marker=marker,
                label=plain_text(label, MAX_NAME_LENGTH),
                **options,
            )

    def _add_legend(self, n_names):
        n_classes = len(self.scatters_.keys() - {NO_LABEL})
        self.legend_ = self.ax_.legend(
            title="Class" if n_classes <= N_STYLES else "Class (colors and markers repeat)",
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            borderaxespad=0.0,
            ncols=n_columns(n_names),
            fontsize="small",
            frameon=False,
        )


def _times_and_features(segments):
    """Return the middles of windows in seconds, and their features."""
    columns = list(getattr(segments, "columns", ()))
    if not {"start", "end"} < {*columns}:
        raise ValueError(
            "segments must be a table with the columns start, end (s) and features, as returned "
            f"by transform_segments, got {columns or type(segments).__name__}."
        )
    features = segments.drop(columns=["start", "end"])
    others = list(features.select_dtypes(exclude="number").columns)
    if others:
        raise ValueError(
            f"All columns of segments except start and end must be features, which are numbers, "
            f"but {others} are not. Choose the rows of one recording and drop these columns: "
            f"segments.drop(columns={others})."
        )
    return ((segments.start + segments.end) / 2).to_numpy(float), features.to_numpy()


def _project(embeddings, projection):
    """Return points in two dimensions, and the names of the dimensions."""
    if embeddings.ndim != 2 or len(embeddings) < 2:
        raise ValueError(
            "Embeddings must have shape (n_clips, n_features) with at least 2 clips, got "
            f"{embeddings.shape}."
        )
    if projection is None:
        pca = PCA(min(2, *embeddings.shape), random_state=0)
        points = pca.fit_transform(embeddings)
        names = [f"Principal component {i}" for i in (1, 2)]
        for i, share in enumerate(pca.explained_variance_ratio_):
            names[i] += f" ({100 * share:.0f} % of the variance)"
    elif isinstance(projection, FrozenEstimator):
        points, names = projection.transform(embeddings), None
    else:
        points, names = clone(projection).fit_transform(embeddings), None
    points = np.asarray(points)
    if points.shape[1] == 1:
        points = np.hstack([points, np.zeros_like(points)])
    if points.shape[1] != 2:
        raise ValueError(f"projection must return two dimensions, got {points.shape[1]}.")
    return points, names or _axis_names(projection)


def _axis_names(projection):
    inner = unwrap(projection)
    name = type(inner[-1] if isinstance(inner, Pipeline) else inner).__name__
    return [f"{name} {i}" for i in (1, 2)]
