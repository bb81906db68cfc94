"""Fitted estimators as ONNX files, which other programs can run without this package.

- `models`: `export_onnx`.
- `parts`: the front end and the network in an estimator, and what cannot be exported.
- `graph`: build an ONNX graph one operation at a time.
- `fourier`: from waveforms to the power in bands; `spectrograms`: to levels and coefficients.
- `common_length`, `standardization`: bring spectrograms to one length, and standardize them.
- `layers`: the layers of networks; `custom_layers`: those of users, with torch's own exporter.

Each of these files repeats in ONNX what a file of `_features` or `_networks` does. Tensors have the
shape `(n_clips, n_frames, n_bins)` until they reach the network.
"""
