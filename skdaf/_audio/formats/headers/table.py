"""The table of formats: the first bytes of each, and the function that finds its samples."""

import re

from skdaf._audio.formats.headers.iff import find_aiff, find_svx
from skdaf._audio.formats.headers.matlab import find_mat4, find_mat5
from skdaf._audio.formats.headers.reader import HeaderReader
from skdaf._audio.formats.headers.riff import WAV, find_w64, find_wav
from skdaf._audio.formats.headers.samples import view_of
from skdaf._audio.formats.headers.short import (
    find_au,
    find_avr,
    find_caf,
    find_htk,
    find_ircam,
    find_mpc,
    find_nist,
    find_paf,
    find_pvf,
    find_sds,
    find_wve,
    find_xi,
)
from skdaf._audio.formats.headers.voc import find_voc
from skdaf._audio.formats.id3 import skip_id3
from skdaf._audio.formats.view import FileView

# (pattern for the first 32 bytes, function). The function takes a HeaderReader and returns Samples,
# or None if libsndfile should interpret the header.
FORMATS = [
    (WAV, find_wav),
    (rb"riff\x2e\x91\xcf\x11", find_w64),
    (rb"FORM....AIF[FC]", find_aiff),
    (rb"FORM....(8SVX|16SV)", find_svx),
    (rb"\.snd|dns\.", find_au),
    (rb"caff", find_caf),
    (rb"Creative Voice File\x1a", find_voc),
    (rb"2BIT", find_avr),
    (rb"NIST_1A\n", find_nist),
    (rb" paf|fap ", find_paf),
    (rb"PVF1\n", find_pvf),
    (rb"\x64\xa3[\x01-\x04]\x00|\x00[\x01-\x04]\xa3\x64", find_ircam),
    (rb"\x01\x04.{19}[\x00\x01]", find_mpc),
    (rb"Extended Instrument: ", find_xi),
    (rb"(\x00{4}(\x01\x00{3}){2}|\x00\x00\x03\xe8(\x00{3}\x01){2}).{8}samplerate", find_mat4),
    (rb"MATLAB 5\.0 MAT", find_mat5),
    (rb"ALawSoundFile\*\*\x00", find_wve),
    (rb"\xf0\x7e.\x01", find_sds),
    (rb".{4}\x00[\x00\x01].{2}\x00\x02\x00\x00", find_htk),
]


def open_view(path, n_bytes):
    """Return the FileView that libsndfile should read; None if it should read the file itself.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    n_bytes : int
        Its size.

    Raises
    ------
    DamagedFileError
        If the file is truncated, or its sizes contradict each other.
    """
    with open(path, "rb") as file:
        head = file.read(32)
        find = next((find for magic, find in FORMATS if re.match(magic, head, re.DOTALL)), None)
        reader = HeaderReader(file, n_bytes)
        samples = find and find(reader)
        view = samples and view_of(samples, n_bytes)
        if (start := skip_id3(file)) and reader.bytes_at(start, 4) == b"fLaC":
            # libsndfile skips the tags, but then seeks to wrong positions.
            view = b"", [(start, n_bytes)]
    return FileView(path, *view) if view else None
