"""From clips to spectrograms and hand-crafted features.

- `spectrogram`: functions of arrays; `spectrogram_transformer`: `SpectrogramTransformer`.
- `pyaudioanalysis`: functions of arrays; `pyaudioanalysis_transformer`:
  `PyAudioAnalysisTransformer`.
- `extraction`: compute features of many clips, in chunks, with workers and a cache.
- `windows`: sliding windows over recordings.
- `frame_blocks`: frames of several clips in one array, computed independently of each other.
"""
