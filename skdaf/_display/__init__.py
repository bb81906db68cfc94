"""Displays, as in scikit-learn: one file per display.

- `spectrogram`, `durations`, `training`, `embedding`, `segments`, `values`, `saliency`: the
  displays.
- `clip_spectrogram`: the spectrogram of one clip at its own length; `frequency_axis`: its vertical
  axis; `grid`: many panels in one figure.
- `recording_spectrogram`: the spectrogram of a recording, above what is predicted for it.
- `network_output`: what an embedding shows of an estimator; `point_labels`: the classes of points.
- `explanation`: the classes, maps and titles of `saliency`.
- `segment_bands`: the classes and probabilities in tables of segments; `segment_lanes`: bars.
- `style`: importing matplotlib, axes, colors, class names, time axes.
- `typing`: types of matplotlib in signatures.

To add a display, write a class in a new file, with class methods `from_...` that compute what is
shown and a method `plot` that draws it (`durations` is a small example), and make it public as the
page "Architecture" of the docs describes.
"""
