"""Long recordings and tables of labeled segments.

- `tables`: check tables of segments, and name their columns of probabilities.
- `reading`: `read_segments`, with the formats in `label_lines` and `named_columns`.
- `writing`: `write_segments`.
- `batches`: go through a long recording window by window, in batches.
- `predict`: `predict_segments`.
- `streaming`: `predict_stream`, the same for samples that are still arriving.
- `clips`: `clips_from_segments`.
- `recordings`: `clips_from_recordings`; `matching`: which table belongs to which recording.
- `smoothing`: smooth the numbers of a regressor over time.
- `transform`: `transform_segments`.
- `thresholds`: which windows get a label.
- `tuning`: `tune_thresholds`, also by `false_alarms`, which counts the events of `detections`.
- `merge`: `merge_segments`, with its steps in `pieces`.
- `merge_stream`: `merge_stream`, the same for rows that are still arriving, with its steps in
  `stream_rows`, `stream_pieces` and `stream_labels`.
- `multilabel`: segments with different labels that cover the same time.
- `report`: `segment_report`, with the scores of `frames` and `events`; `scores`: `SegmentReport`.
- `window_lengths`: warnings about windows that are probably too long or too short.
"""
