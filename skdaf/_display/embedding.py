"""EmbeddingDisplay: clips as points in two dimensions."""

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from skdaf._core.public import public
from skdaf._display.style import (
    given_axes,
    look_of_classes,
    new_figure,
    readable,
    require_matplotlib,
    shortened,
    width_of,
)
from skdaf._estimators.fitted import unwrap, unwrap_calibrated

# Letters of a class's name that a legend shows, and names below each other.
_LONGEST_NAME = 28
_NAMES_A_COLUMN = 20

# Inches: the size of the picture by itself; a column of the legend without its letters; a letter.
_SIZE = 5.0, 4.6
_COLUMN, _LETTER = 0.5, 0.075


@public
class EmbeddingDisplay:
    """Show clips as points in two dimensions, coloured by class.

    Use `from_estimator` or `from_embeddings` to make one; all parameters are stored as attributes.

    Parameters
    ----------
    points : array-like of shape (n_clips, 2)
        Where the clips are.
    labels : array-like of shape (n_clips,), default=None
        Their classes, each drawn with a colour and a marker of its own; or numbers with a
        fraction, drawn on a scale of colours.
    axis_names : tuple of two str, default=("First dimension", "Second dimension")
        What the axes are called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure around them.
    scatters_ : dict of matplotlib PathCollection
        The points of each class; those without a class have the key None.
    legend_ : matplotlib Legend or None
        Says which class is which.
    colorbar_ : matplotlib Colorbar or None
        Says which number is which colour.

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

    def __init__(self, points, *, labels=None, axis_names=("First dimension", "Second dimension")):
        self.points = points
        self.labels = labels
        self.axis_names = axis_names

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, projection=None, ax=None, scatter_kw=None):
        """Show what a fitted transformer or network makes of clips.

        Parameters
        ----------
        estimator : estimator, str or os.PathLike
            A fitted transformer, such as `CNNFeatureExtractor` or `ConvAutoencoderEmbedder`; of a
            `CNNAudioClassifier` what its last layer sees; of a pipeline that ends in a classifier
            what the classifier sees; or the path of a saved model.
        X : files, waveforms or spectrograms
            The clips.
        y : array-like of shape (n_clips,), default=None
            Their labels.
        projection : transformer, default=None
            What brings the embeddings to two dimensions: it is cloned and fitted on them. A fitted
            one is used as it is in a ``FrozenEstimator``. None is ``PCA(2)``.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        scatter_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            What was drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        embeddings = _embeddings(unwrap_calibrated(estimator), X)
        return cls.from_embeddings(
            embeddings, y, projection=projection, ax=ax, scatter_kw=scatter_kw
        )

    @classmethod
    def from_embeddings(cls, embeddings, y=None, *, projection=None, ax=None, scatter_kw=None):
        """Show embeddings.

        Parameters
        ----------
        embeddings : array-like of shape (n_clips, n_features)
            One row a clip.
        y : array-like of shape (n_clips,), default=None
            Their labels.
        projection : transformer, default=None
            What brings the embeddings to two dimensions, as in `from_estimator`.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        scatter_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            What was drawn.
        """
        require_matplotlib(f"{cls.__name__}.from_embeddings")
        points, names = _projected(np.asarray(embeddings), projection)
        return cls(points, labels=y, axis_names=names).plot(ax, scatter_kw=scatter_kw)

    def plot(self, ax=None, *, scatter_kw=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        scatter_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : EmbeddingDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        points = np.asarray(self.points, dtype=float)
        labels = None if self.labels is None else np.asarray(self.labels)
        if labels is not None and labels.shape != (len(points),):
            raise ValueError(
                f"labels must hold one label for each of the {len(points)} points, got shape "
                f"{labels.shape}."
            )
        if ax is None:
            _, ax = new_figure(size=(_SIZE[0] + _legend_width(labels), _SIZE[1]))
        [self.ax_] = given_axes(ax, 1)
        self.figure_ = self.ax_.figure
        self.scatters_, self.legend_, self.colorbar_ = {}, None, None
        options = {"s": 24, "alpha": 0.8, "linewidths": 0.4, "edgecolors": "white"}
        options |= scatter_kw or {}
        if labels is None:
            self.scatters_[None] = self.ax_.scatter(*points.T, color="#0072B2", **options)
        elif type_of_target(labels) == "continuous":
            options = {"c": labels.astype(float), "cmap": "cividis", **options}
            self.scatters_[None] = self.ax_.scatter(*points.T, **options)
            self.colorbar_ = self.figure_.colorbar(
                self.scatters_[None], ax=self.ax_, label="Target"
            )
        else:
            self._draw_classes(points, labels, options)
        self.ax_.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        return self

    def _draw_classes(self, points, labels, options):
        classes = np.unique(labels)
        with readable(classes) as names:
            looks = look_of_classes(len(classes))
            for label, name, (color, marker) in zip(classes, names, looks, strict=True):
                look = {"color": color, "marker": marker, "label": shortened(name, _LONGEST_NAME)}
                self.scatters_[label] = self.ax_.scatter(
                    *points[labels == label].T, **look, **options
                )
            self.legend_ = self.ax_.legend(
                title="Class",
                loc="upper left",
                bbox_to_anchor=(1.01, 1.0),
                borderaxespad=0.0,
                ncols=-(-len(classes) // _NAMES_A_COLUMN),
                fontsize="small",
                frameon=False,
            )


def _legend_width(labels):
    """Return how many inches a legend or a colour bar takes."""
    if labels is None:
        return 0.0
    if type_of_target(labels) == "continuous":
        return 1.0
    classes = np.unique(labels)
    widest = min(_LONGEST_NAME, max(width_of(str(label)) for label in classes))
    return -(-len(classes) // _NAMES_A_COLUMN) * (_COLUMN + _LETTER * widest)


def _embeddings(estimator, X):
    """Return what there is to look at in a fitted estimator."""
    check_is_fitted(estimator)
    if isinstance(estimator, Pipeline) and not hasattr(estimator, "transform"):
        return estimator[:-1].transform(X)
    if hasattr(estimator, "transform"):
        return estimator.transform(X)
    if hasattr(estimator, "layer_outputs"):
        return estimator.layer_outputs(X, len(estimator.layer_names_) - 1)
    raise TypeError(
        "estimator must be a transformer, a CNNAudioClassifier or a pipeline, got "
        f"{type(estimator).__name__}."
    )


def _projected(embeddings, projection):
    """Return points in two dimensions, and what these are called."""
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
        raise ValueError(f"projection must make two dimensions, got points of {points.shape[1]}.")
    return points, names or _names_of(projection)


def _names_of(projection):
    inner = unwrap(projection)
    name = type(inner[-1] if isinstance(inner, Pipeline) else inner).__name__
    return [f"{name} {i}" for i in (1, 2)]
