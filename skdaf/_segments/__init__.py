"""Long recordings: tables of labelled segments.

- `tables`: what such a table must be; `read_segments`, `write_segments`.
- `predict`: `predict_segments`, `clips_from_segments`.
- `merge`: `merge_segments`.
- `report`: `segment_report`.
"""
