"""Models of deep_audio_features.

- `load`: `load_deep_audio_features`.
- `entries`: check the settings in a file.
- `unpickle`: read a pickle without running it.
- `spectrogram_transformer`: the front end of the loaded models, `LegacySpectrogramTransformer`.
- `combiner`: the combined classifier that a configuration file describes.
"""
