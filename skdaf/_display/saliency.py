"""SaliencyDisplay: show which parts of clips a classifier responds to."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.utils._param_validation import StrOptions

from skdaf._audio.inputs import validate_clips
from skdaf._core.public import public
from skdaf._core.typing import Clips
from skdaf._core.validation import validate_params
from skdaf._display.clip_names import clip_names
from skdaf._display.clip_spectrogram import input_times, settings_for
from skdaf._display.explanation import Explanation, check_target
from skdaf._display.spectrogram import SpectrogramDisplay, display_parameters, one_per_clip
from skdaf._display.style import require_matplotlib
from skdaf._display.typing import ManyAxes
from skdaf._estimators.fitted import (
    find_frontend,
    find_network,
    load_fitted,
    names_in_network,
)
from skdaf._features.spectrogram_transformer import SpectrogramTransformer

# From transparent to vermilion, which is visible on all grays, even to color-blind people.
# Each panel takes about half a second.
_MAX_PANELS = 40

_SALIENCY_COLORS = [(0.84, 0.37, 0.0, 0.0), (0.84, 0.37, 0.0, 0.9)]


@public
class SaliencyDisplay:
    """Show which parts of clips are evidence for a class, on top of their spectrograms.

    The saliency is HiResCAM [1]_: the activations of a layer times the gradient of the class's
    logit, summed over channels, where it is positive. Grad-CAM [2]_ first averages the gradients
    over all positions, and thereby loses what distinguishes classes by frequency. Both methods
    are equivalent for networks that average over all positions.

    The largest value of each clip is 1, whatever the evidence is: colors show where the network
    finds evidence in a clip, and cannot be compared between clips. The title has the name of the
    file, the class that is explained and its probability.

    Create a display with `from_estimator`. All parameters are stored as attributes.

    Parameters
    ----------
    saliencies : list of ndarray of shape (n_frames, n_bins)
        One saliency map per panel, with values from 0 to 1. The largest value of each map is 1, or
        0 if there is no evidence for the class.
    spectrograms : SpectrogramDisplay
        The spectrograms below them.
    times : list of ndarray of shape (n_frames + 1,), default=None
        Edges of the frames of each saliency map in seconds, which may differ from those of its
        spectrogram. If None, frames are numbered.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The axes of the only panel, or of all panels.
    figure_ : matplotlib Figure
        The figure that contains them.
    images_ : list of matplotlib QuadMesh
        The saliency maps.
    colorbar_ : matplotlib Colorbar or None
        The color bar of the saliency maps.

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

    def __init__(
        self,
        saliencies: list[NDArray[Any]],
        spectrograms: SpectrogramDisplay,
        *,
        times: list[NDArray[Any]] | None = None,
    ):
        self.saliencies = saliencies
        self.spectrograms = spectrograms
        self.times = times

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Clips,
        y: ArrayLike | None = None,
        *,
        target: Any = None,
        layer: str | None = None,
        method: Literal["hirescam", "gradcam"] = "hirescam",
        ax: "ManyAxes | None" = None,
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Show which parts of clips are evidence for a class, according to a fitted classifier.

        Parameters
        ----------
        estimator : estimator, str or os.PathLike
            A fitted `CNNAudioClassifier`, or a pipeline, search or combined classifier that
            contains one; or the path of a saved model. If the network is only a part of the model,
            the network is explained; titles show its probability of the class, and below it what
            the whole model predicts. If there are several networks, pass one of them, such as
            ``combined.named_estimators_["cnn1"]``, whose classes are positions in
            ``combined.classes_``.
        X : files, waveforms or spectrograms
            The clips, one panel per clip; up to 40, because each takes a while to compute.
        y : array-like of shape (n_clips,), default=None
            The true label of each clip, for the titles. Without it, they do not name a true label.
        target : label or list of labels, default=None
            The class to explain, the same for all clips or one per clip. If None, the class that
            the model predicts for each clip, or that is most probable for the network if there are
            several labels per clip or the network does not know the class.
        layer : str, default=None
            The name of the layer whose activations are used. If None, the deepest layer with at
            least 8 frames and 8 bins. Deeper layers are more specific to classes, but less precise
            in time and frequency. If the network is your own, this may also be the path of a module
            inside a layer, such as "body.block2".
        method : {"hirescam", "gradcam"}, default="hirescam"
            How to use the gradients, as described above.
        ax : matplotlib Axes or array of Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        colorbar : bool, default=True
            Whether to draw a color bar.
        im_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.pcolormesh` for the saliency maps.

        Returns
        -------
        display : SaliencyDisplay
            The display.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_matplotlib(caller)
        estimator = load_fitted(estimator)
        frontend = find_frontend(estimator)
        classifier = _check_classifier(find_network(estimator), caller)
        _check_method(method=method)
        kind, clips = validate_clips(classifier, X, reset=False)
        _check_panels(clips, y)
        if target is not None:  # before anything is computed
            check_target(target, names_in_network(estimator, classifier), len(clips))
        inputs = clips if kind == "spectrograms" or frontend is None else frontend.transform(clips)
        explanation = Explanation(estimator, classifier, np.asarray(inputs), X)
        classes = explanation.classes(target)
        saliencies = explanation.maps(classes, layer, method)
        titles = explanation.titles(classes, y, clip_names(clips))
        parameters = display_parameters(frontend, kind, clips, processed=False)
        spectrograms = SpectrogramDisplay(**parameters, titles=titles)
        display = cls(list(saliencies), spectrograms, times=_input_times(frontend, kind, clips))
        return display.plot(ax, colorbar=colorbar, im_kw=im_kw)

    def plot(
        self,
        ax: "ManyAxes | None" = None,
        *,
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            The axes to draw on, one per panel. If None, a new figure is created.
        colorbar : bool, default=True
            Whether to draw a color bar.
        im_kw : dict, default=None
            Further arguments of `matplotlib.axes.Axes.pcolormesh` for the saliency maps.

        Returns
        -------
        self : SaliencyDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        from matplotlib.colors import LinearSegmentedColormap

        options = {
            "cmap": LinearSegmentedColormap.from_list("saliency", _SALIENCY_COLORS),
            **{"vmin": 0.0, "vmax": 1.0, "rasterized": True},
            **(im_kw or {}),
        }
        spectrograms = self.spectrograms.plot(ax, cmap="gray_r", colorbar=False)
        axes = np.atleast_1d(spectrograms.ax_)
        self.ax_, self.figure_ = spectrograms.ax_, spectrograms.figure_
        self.images_ = []
        for panel, times, saliency in zip(axes, self._times(), self.saliencies, strict=True):
            limits = panel.get_xlim(), panel.get_ylim()
            self.images_.append(panel.pcolormesh(times, spectrograms.bins, saliency.T, **options))
            panel.set(xlim=limits[0], ylim=limits[1])
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = spectrograms.add_colorbar(
                self.images_[0], "Saliency (1 = maximum of the clip)"
            )
        return self

    def _times(self):
        if self.times is not None:
            return self.times
        return [np.arange(len(saliency) + 1) - 0.5 for saliency in self.saliencies]


@validate_params({"method": [StrOptions({"hirescam", "gradcam"})]})
def _check_method(method):
    """Raise an error for unknown methods."""


def _check_classifier(network, caller):
    if not is_classifier(network):
        raise TypeError(f"{caller} needs a classifier, got a {type(network).__name__}.")
    return network


def _check_panels(clips, y):
    """Check that there are as many labels as clips, and not too many for a figure."""
    if len(clips) > _MAX_PANELS:
        raise ValueError(
            f"X contains {len(clips)} clips, but a figure shows at most {_MAX_PANELS}: select some."
        )
    if y is not None:
        one_per_clip(y, "y", len(clips))


def _input_times(frontend, kind, clips):
    if kind == "spectrograms" or not isinstance(frontend, SpectrogramTransformer):
        return None
    return [input_times(frontend, settings_for(frontend, clip), clip) for clip in clips]
