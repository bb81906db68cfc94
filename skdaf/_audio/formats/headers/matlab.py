"""MATLAB files: a matrix with the sampling rate, followed by one with the samples."""

from skdaf._audio.formats.headers.samples import Samples

# Bytes per value, by the type in the header of a MATLAB 4 matrix.
_VALUE_BYTES = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}


def find_mat4(reader):
    """Find the samples of a MATLAB 4 file: the second matrix."""
    order = "<" if reader.bytes_at(0, 4) == bytes(4) else ">"
    position = 0
    for _ in range(2):
        kind, rows, columns, _, n_letters = reader.numbers_at(position, f"{order}5I")
        start = position + 20 + n_letters
        n_bytes = rows * columns * _VALUE_BYTES.get(kind // 10 % 10, 1)
        position = start + n_bytes
    return Samples(start, n_bytes)


def find_mat5(reader):
    """Find the samples of a MATLAB 5 file: the last part of the second matrix.

    The parts before it are its flags, its shape and its name.
    """
    layout = ("<" if reader.bytes_at(126, 2) == b"IM" else ">") + "II"
    position = 128 + 8 + reader.numbers_at(128, layout)[1] + 8
    for _ in range(3):
        position += 8 + reader.numbers_at(position, layout)[1]
        position += -position % 8
    return Samples(position + 8, reader.numbers_at(position, layout)[1])
