"""What a SaliencyDisplay explains: the classes, their saliency maps and their titles."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from skdaf._estimators.fitted import names_in_network, names_of_labels, unwrap


class Explanation:
    """A network in a model, and the class to explain for each clip.

    Parameters
    ----------
    model : estimator
        The fitted model.
    network : CNNAudioClassifier
        The network in it.
    inputs : ndarray of shape (n_clips, n_frames, n_bins)
        The input of the network.
    X : files, waveforms or spectrograms
        The input of the model.
    """

    def __init__(self, model, network, inputs, X):
        self.network, self.inputs = network, inputs
        self.names = names_in_network(model, network)
        self.shares = network.predict_proba(inputs)
        self.is_whole = _is_network(model, network)
        self.predicted = None if self.is_whole else _predictions(model, X)

    def classes(self, target=None):
        """Return the number of the class to explain for each clip."""
        numbers = {name: number for number, name in enumerate(self.names)}
        if target is not None:
            return [numbers[label] for label in check_target(target, self.names, len(self.inputs))]
        best = self.shares.argmax(axis=1).tolist()
        if self.predicted is None:
            return best
        # A network from elsewhere may have other classes than the model.
        labels = [label for label, _ in self.predicted]
        return [numbers.get(label, own) for label, own in zip(labels, best, strict=True)]

    def maps(self, classes, layer, method):
        """Return the saliency map of each clip."""
        from skdaf._networks.saliency import saliency_maps

        place = _find_layer(self.network, layer)
        return saliency_maps(
            self.network.network_,
            self.inputs,
            classes,
            place,
            average_gradients=method == "gradcam",
        )

    def titles(self, classes, y=None, clips=None):
        """Return a title for each clip: whose probabilities they are, if that is not clear.

        `clips` are names of clips, or None for those that have none.
        """
        whose = "" if self.is_whole else "network: "
        clips = [None] * len(classes) if clips is None else clips
        titles = [
            [*([clip] if clip else []), whose + _with_share(self.names[n], share[n])]
            for clip, n, share in zip(clips, classes, self.shares, strict=True)
        ]
        for i, lines in enumerate(titles):
            if self.predicted is not None:
                own = int(self.shares[i].argmax())
                if self.names[own] != self.predicted[i][0] and own != classes[i]:
                    choice = _with_share(self.names[own], self.shares[i, own])
                    lines.append(f"its choice: {choice}")
                lines.append("model: " + _with_share(*self.predicted[i]))
            if y is not None:
                lines.append(f"true: {np.asarray(y)[i]}")
        return ["\n".join(" ".join(line.split()) for line in lines) for lines in titles]


def check_target(target, names, n_clips):
    """Return the label to explain for each clip; raise ValueError if it is no class."""
    targets = np.asarray(target)
    if targets.ndim and targets.shape != (n_clips,):
        raise ValueError(
            f"target must be one label, or one for each of the {n_clips} clips, got "
            f"{target!r:.100}."
        )
    labels = np.broadcast_to(targets, n_clips).tolist()
    unknown = [label for label in labels if label not in names]
    if unknown:
        raise ValueError(f"target must be one of the classes {names}, got {unknown[0]!r}.")
    return labels


def _is_network(model, network):
    """Return whether a model's probabilities are those of a network."""
    whole = unwrap(model)
    if isinstance(whole, Pipeline):
        return _is_network(whole[-1], network)
    return whole is network or not is_classifier(whole)


def _predictions(model, X):
    """Return the predicted label of each clip and its probability or None; None for multilabel."""
    labels = np.asarray(model.predict(X))
    if labels.ndim != 1:
        return None
    if not hasattr(model, "predict_proba"):
        return [(label, None) for label in labels.tolist()]
    columns = {name: i for i, name in enumerate(list(names_of_labels(model)))}
    shares = np.asarray(model.predict_proba(X))
    return [
        (label, row[columns[label]]) for label, row in zip(labels.tolist(), shares, strict=True)
    ]


def _with_share(name, share):
    return str(name) + ("" if share is None else f" ({share:.2f})")


def _find_layer(classifier, layer):
    """Return the number of a layer, or the path of a module inside one."""
    from skdaf._networks.saliency import inner_map_shapes, saliency_layer

    names = classifier.layer_names_
    if layer is None:
        return saliency_layer(classifier.network_, classifier.input_shape_)
    if layer in names:
        return names.index(layer)
    if layer in inner_map_shapes(classifier.network_, classifier.input_shape_):
        return layer
    raise ValueError(f"layer must be one of {names}, got {layer!r}.")
