"""SaliencyDisplay: what a network listens to."""

import numpy as np
from scipy.special import softmax
from sklearn.base import is_classifier
from sklearn.utils._param_validation import StrOptions

from skdaf._audio.inputs import validate_clips
from skdaf._core.public import public
from skdaf._core.validation import validate_params
from skdaf._display.sources import input_edges, settings_for
from skdaf._display.spectrogram import SpectrogramDisplay, parts_of
from skdaf._display.style import require_matplotlib
from skdaf._estimators.fitted import find_frontend, find_network, load_if_path
from skdaf._features.spectrogram_transformer import SpectrogramTransformer

# From nothing to vermilion, which shows on light and dark greys, and to colour-blind people.
_SALIENCY_COLORS = [(0.84, 0.37, 0.0, 0.0), (0.84, 0.37, 0.0, 0.9)]


@public
class SaliencyDisplay:
    """Show which parts of clips speak for a class, over their spectrograms.

    Each value of a layer's maps times the gradient of the class's logit there, summed over
    channels where it is positive: HiResCAM [1]_. Grad-CAM [2]_ averages the gradients over all
    places first, and so loses what tells classes apart by frequency; both are the same for
    networks that average over all places themselves.

    Use `from_estimator` to make one; all parameters are stored as attributes.

    Parameters
    ----------
    saliencies : list of ndarray of shape (n_frames, n_bins)
        One a panel, from 0 to 1.
    spectrograms : SpectrogramDisplay
        What lies below them.
    times : list of ndarray of shape (n_frames + 1,), default=None
        Borders of the frames of each saliency in seconds, which need not be those of its
        spectrogram. None numbers them.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The axes of the one panel, or of all panels.
    figure_ : matplotlib Figure
        The figure around them.
    images_ : list of matplotlib QuadMesh
        The saliencies.
    colorbar_ : matplotlib Colorbar or None
        That of the saliencies.

    References
    ----------
    .. [1] R. Draelos and L. Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
       convolutional neural networks", 2020.
    .. [2] R. Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via
       gradient-based localization", ICCV 2017.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skdaf import CNNAudioClassifier, SaliencyDisplay
    >>> times = np.arange(4000) / 16000
    >>> X = [np.sin(2 * np.pi * pitch * times) for pitch in (500, 3000) * 6]
    >>> classifier = CNNAudioClassifier(max_epochs=4, random_state=0).fit(X, ["low", "high"] * 6)
    >>> display = SaliencyDisplay.from_estimator(classifier, X[:1], target="low")
    >>> display.saliencies[0].shape == classifier.input_shape_
    True
    >>> plt.close(display.figure_)
    """

    def __init__(self, saliencies, spectrograms, *, times=None):
        self.saliencies = saliencies
        self.spectrograms = spectrograms
        self.times = times

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        target=None,
        layer=None,
        method="hirescam",
        ax=None,
        colorbar=True,
        im_kw=None,
    ):
        """Show what in clips speaks for a class, to a fitted classifier.

        Parameters
        ----------
        estimator : estimator, str or os.PathLike
            A fitted `CNNAudioClassifier`, or a pipeline or search that holds one; or the path of a
            saved model.
        X : files, waveforms or spectrograms
            The clips, one panel per clip.
        target : label or list of labels, default=None
            The class in question, the same for all clips or one per clip. None is the
            predicted one.
        layer : str, default=None
            The layer whose maps are looked at, by its name. None is the deepest one with at least
            8 frames and 8 bins. Deeper ones say more about classes and less about places.
        method : {"hirescam", "gradcam"}, default="hirescam"
            How gradients are used, see above.
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw, one a panel. None makes a figure.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        im_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.pcolormesh` for the saliencies.

        Returns
        -------
        display : SaliencyDisplay
            What was drawn.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_matplotlib(caller)
        estimator = load_if_path(estimator)
        frontend = find_frontend(estimator)
        classifier = _classifier(find_network(estimator), caller)
        _check_method(method=method)
        kind, clips = validate_clips(classifier, X, reset=False)
        inputs = clips if kind == "spectrograms" or frontend is None else frontend.transform(clips)
        saliencies, titles = _explained(classifier, np.asarray(inputs), target, layer, method)
        below = SpectrogramDisplay(**parts_of(frontend, kind, clips, False), titles=titles)
        display = cls(list(saliencies), below, times=_times_of_inputs(frontend, kind, clips))
        return display.plot(ax, colorbar=colorbar, im_kw=im_kw)

    def plot(self, ax=None, *, colorbar=True, im_kw=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Where to draw, one a panel. None makes a figure.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        im_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.pcolormesh` for the saliencies.

        Returns
        -------
        display : SaliencyDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        from matplotlib.colors import LinearSegmentedColormap

        options = {
            "cmap": LinearSegmentedColormap.from_list("saliency", _SALIENCY_COLORS),
            **{"vmin": 0.0, "vmax": 1.0, "rasterized": True},
            **(im_kw or {}),
        }
        below = self.spectrograms.plot(ax, cmap="gray_r", colorbar=False)
        axes = np.atleast_1d(below.ax_)
        self.ax_, self.figure_ = below.ax_, below.figure_
        self.images_ = []
        for one, times, saliency in zip(axes, self._times(), self.saliencies, strict=True):
            limits = one.get_xlim(), one.get_ylim()
            self.images_.append(one.pcolormesh(times, below.bins, saliency.T, **options))
            one.set(xlim=limits[0], ylim=limits[1])
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = below.add_colorbar(self.images_[0], "Saliency (share of the largest)")
        return self

    def _times(self):
        if self.times is not None:
            return self.times
        return [np.arange(len(saliency) + 1) - 0.5 for saliency in self.saliencies]


@validate_params({"method": [StrOptions({"hirescam", "gradcam"})]})
def _check_method(method):
    """Insist on a method that there is."""


def _classifier(network, caller):
    if not is_classifier(network):
        raise TypeError(f"{caller} needs a classifier, got a {type(network).__name__}.")
    return network


def _explained(classifier, inputs, target, layer, method):
    """Return the saliency map of each clip, and what to write over it: class and probability."""
    from skdaf._networks.saliency import saliency_layer, saliency_maps

    names = classifier.layer_names_
    if layer is None:
        number = saliency_layer(classifier.network_, classifier.input_shape_)
    elif layer in names:
        number = names.index(layer)
    else:
        raise ValueError(f"layer must be one of {names}, got {layer!r}.")
    probabilities = softmax(classifier.layer_outputs(inputs).astype(float), axis=1)
    classes = _numbers(classifier, target, probabilities)
    maps = saliency_maps(
        classifier.network_, inputs, classes, number, average_gradients=method == "gradcam"
    )
    titles = [
        f"{classifier.classes_[n]} ({share[n]:.2f})"
        for n, share in zip(classes, probabilities, strict=True)
    ]
    return maps, titles


def _numbers(classifier, target, probabilities):
    """Return which class is in question for each clip."""
    if target is None:
        return probabilities.argmax(axis=1)
    targets = np.asarray(target)
    if targets.ndim and targets.shape != (len(probabilities),):
        raise ValueError(
            f"target must be one label or {len(probabilities)}, one per clip, got {target!r:.100}."
        )
    known = {label: number for number, label in enumerate(classifier.classes_.tolist())}
    labels = np.broadcast_to(targets, len(probabilities)).tolist()
    unknown = [label for label in labels if label not in known]
    if unknown:
        raise ValueError(f"target {unknown[0]!r} is none of the classes {list(known)}.")
    return [known[label] for label in labels]


def _times_of_inputs(frontend, kind, clips):
    if kind == "spectrograms" or not isinstance(frontend, SpectrogramTransformer):
        return None
    return [input_edges(frontend, settings_for(frontend, clip), clip) for clip in clips]
