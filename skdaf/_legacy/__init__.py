"""Models of deep_audio_features.

- `load`: `load_deep_audio_features`.
- `entries`: the settings in a file, and what they may be.
- `unpickle`: read a pickle without running it.
- `spectrogram_transformer`: the front end of the loaded models, `LegacySpectrogramTransformer`.
"""
