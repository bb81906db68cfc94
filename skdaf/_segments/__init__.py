"""Long recordings and tables of labeled segments.

- `tables`: check, read and write tables of segments; `read_segments`, `write_segments`.
- `batches`: go through a long recording window by window, in batches.
- `predict`: `predict_segments`, `clips_from_segments`.
- `transform`: `transform_segments`.
- `merge`: `merge_segments`.
- `report`: `segment_report`.
"""
