"""Networks in torch: no files, no scikit-learn.

- `building`: build a network by name, and its weights as arrays.
- `device`: the threads that torch may use.
- `saliency`: which part of its input decides a network's output.
"""
