"""Displays, as in scikit-learn: one file per display.

- `spectrogram`, `durations`, `training`, `embedding`, `segments`, `saliency`: the displays.
- `sources`: the front end and network of an estimator, and levels of recordings, to be drawn.
- `style`: matplotlib or a clear error, colours, readable names.
- `grid`: the arrangement of many panels.
"""
