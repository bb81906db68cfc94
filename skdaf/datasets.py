"""Labelled sets of recordings: read from class folders, or made for examples and tests."""

import io
import os
import unicodedata
import warnings
import zlib
from functools import partial
from numbers import Integral
from pathlib import Path

import numpy as np
import soundfile as sf
from scipy import signal
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skdaf._audio.formats import ffmpeg as _ffmpeg
from skdaf._core.files import write_whole
from skdaf._core.validation import validate_params

__all__ = ["load_audio_folders", "make_audio_dataset"]

# RAW has no header to read a rate from; MATLAB and HTK files mostly hold other things than sound.
_SKIPPED_FORMATS = {"RAW", "MAT4", "MAT5", "HTK"}

# Extensions of the formats that are not simply called after their libsndfile name.
_ALIASES = {
    "AIFF": (".aif", ".aifc", ".aiff"),
    "AU": (".au", ".snd"),
    "IRCAM": (".ircam", ".sf"),
    "MP3": (".m1a", ".m2a", ".mp1", ".mp2", ".mp3", ".mpa", ".mpga"),
    "NIST": (".nist", ".sph"),
    "OGG": (".oga", ".ogg", ".opus"),
    "SVX": (".8svx", ".iff", ".svx"),
    "WAV": (".bwf", ".wav", ".wave"),
}

# Asked of the installed libsndfile: older ones lack MP3.
_EXTENSIONS = frozenset(
    extension
    for name in sf.available_formats()
    if name not in _SKIPPED_FORMATS
    for extension in _ALIASES.get(name, (f".{name.lower()}",))
)

# Sound and video that FFmpeg reads, where PyAV is installed.
_FFMPEG_EXTENSIONS = {
    ".3g2", ".3gp", ".3gpp", ".aac", ".ac3", ".adts", ".amr", ".ape", ".asf", ".avi", ".awb",
    ".divx", ".dsf", ".dts", ".dtshd", ".eac3", ".ec3", ".f4a", ".f4v", ".flv", ".latm",
    ".loas", ".m2p", ".m2t", ".m2ts", ".m4a", ".m4b", ".m4r", ".m4v", ".mk3d", ".mka", ".mkv",
    ".mov", ".mp+", ".mp4", ".mpc", ".mpeg", ".mpg", ".mpp", ".mts", ".ogm", ".ogv", ".ogx",
    ".qt", ".spx", ".tak", ".ts", ".tta", ".vob", ".weba", ".webm", ".wma", ".wmv",
    ".wv",
} - _EXTENSIONS  # fmt: skip

# Sound and video that nothing here reads: leaving it out without a word would falsify a data set.
_OTHER_EXTENSIONS = {
    ".3gpp2", ".8svx", ".aa", ".aa3", ".aax", ".aaxc", ".ac4", ".act", ".adx", ".al", ".alaw",
    ".amb", ".amv", ".aptx", ".aptxhd", ".at3", ".bik", ".c2", ".caff", ".cda", ".codec2", ".cvsd",
    ".dff", ".ds2", ".dsd", ".dss", ".dv", ".dvf", ".evrc", ".fap", ".g719", ".g722", ".g723",
    ".g726", ".g729", ".gsm", ".gxf", ".h264", ".h265", ".hca", ".hcom", ".hevc", ".htk", ".iamf",
    ".ilbc", ".it", ".kar", ".la", ".lbc", ".lc3", ".lpcm", ".m1a", ".m1v", ".m2a", ".m2v", ".m4p",
    ".maud", ".mid", ".midi", ".mlp", ".mmf", ".mo3", ".mod", ".mp1", ".mp2", ".mp3", ".mpa",
    ".mpe", ".mpga", ".mptm", ".mpv", ".msv", ".mxf", ".nsf", ".nsv", ".nut", ".ofr", ".ofs",
    ".oma", ".omg", ".pcm", ".prc", ".qcp", ".ra", ".ram", ".raw", ".rka", ".rm", ".rmi", ".rmvb",
    ".roq", ".s3m", ".sbc", ".shn", ".sid", ".sln", ".sndt", ".sox", ".spc", ".swf", ".thd", ".tod",
    ".truehd", ".ul", ".ulaw", ".umx", ".vag", ".vgm", ".vox", ".vqf", ".wem", ".wsd", ".wtv",
    ".xa", ".xm", ".xma", ".y4m",
} - _EXTENSIONS  # fmt: skip

# Files that a warning names.
_N_NAMED = 10


def _extension(name):
    return os.path.splitext(name)[1].lower()


def _raise(error):
    raise error


def _visible(names):
    return sorted(name for name in names if not name.startswith("."))


def _walk(folder):
    """Yield (path, folder names, file names) below a folder: sorted, without hidden ones."""
    seen = {os.path.realpath(folder)}
    # By default os.walk passes over folders that it may not list.
    for parent, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        folders[:] = _visible(folders)
        yield Path(parent), tuple(folders), _visible(files)
        # Links may lead back up, so each real folder is entered once.
        for name in tuple(folders):
            real = os.path.realpath(os.path.join(parent, name))
            if real in seen:
                folders.remove(name)
            seen.add(real)


def _check_folder(folder):
    if not folder.exists():
        raise FileNotFoundError(f"The folder {str(folder)!r} does not exist.")
    if not folder.is_dir():
        raise NotADirectoryError(f"{str(folder)!r} is a file; expected a folder.")


def class_name(folder):
    """Return the name of a class folder in Unicode's composed form (NFC).

    Systems store names in either form. They look alike, so they are one class.
    """
    # abspath: "." and ".." have names too
    return unicodedata.normalize("NFC", os.path.basename(os.path.abspath(folder)))


def _merged(folders):
    """Return {class name: folders}, in the order of the names."""
    classes = {}
    for folder in folders:
        classes.setdefault(class_name(folder), []).append(folder)
    for same in classes.values():
        if len(same) > 1:
            names = " and ".join(repr(str(folder)) for folder in same)
            forms = " and ".join(ascii(folder.name) for folder in same)
            warnings.warn(
                f"The names of {names} differ only in their Unicode form ({forms}): they are one "
                "class.",
                stacklevel=5,
            )
    return dict(sorted(classes.items()))


def _classes_below(root):
    """Return {class name: folders} for the sub-folders of a root."""
    _check_folder(root)
    _, folders, files = next(_walk(root))
    loose = [name for name in files if _extension(name) in _EXTENSIONS | _FFMPEG_EXTENSIONS]
    if loose or not folders:
        slip = f"{str(root)!r} has no sub-folders."
        if loose:
            slip = f"{str(root / loose[0])!r} lies outside of any class folder."
        raise ValueError(
            f"{slip} Pass a root folder that holds one folder per class and no recordings beside "
            "them, or a list of class folders."
        )
    return _merged([root / name for name in folders])


def _classes_listed(folders):
    """Return {class name: folders} for class folders, in the order of their names."""
    known = {}
    for folder in map(Path, folders):
        _check_folder(folder)
        name = os.path.basename(os.path.abspath(folder))
        if name in known:
            raise ValueError(
                f"Two folders give the same class name {name!r}: {str(known[name])!r} and "
                f"{str(folder)!r}."
            )
        known[name] = folder
    if not known:
        raise ValueError("The list of class folders is empty.")
    return _merged(known.values())


def find_audio(folders):
    """Return the recordings below some folders, and the files of sound or video left out."""
    paths = [
        parent / name for folder in folders for parent, _, files in _walk(folder) for name in files
    ]
    paths = sorted(paths, key=lambda path: path.parts)
    for_ffmpeg = [path for path in paths if _extension(path.name) in _FFMPEG_EXTENSIONS]
    # Asked only where it matters, since that imports PyAV.
    has_ffmpeg = bool(for_ffmpeg) and _ffmpeg.is_available()
    readable = _EXTENSIONS | _FFMPEG_EXTENSIONS if has_ffmpeg else _EXTENSIONS
    others = _FFMPEG_EXTENSIONS | _OTHER_EXTENSIONS
    audio = [path for path in paths if _extension(path.name) in readable]
    left_out = [path for path in paths if _extension(path.name) in others - readable]
    return audio, left_out


def _list_audio(folders):
    """Return the recordings of one class, and the files of sound or video left out."""
    audio, left_out = find_audio(folders)
    if left_out and not audio:
        raise ValueError(
            f"The class folder {str(folders[0])!r} holds no audio files that can be read, but "
            f"{len(left_out)} like {str(left_out[0])!r}. {how_to_read(left_out)}"
        )
    if not audio:
        raise ValueError(
            f"The class folder {str(folders[0])!r} holds no audio files. Looked for the extensions "
            f"{', '.join(sorted(_EXTENSIONS))}. If it is not a class, pass a list of the class "
            "folders instead of their root."
        )
    return audio, left_out


def how_to_read(left_out):
    """Say what to do about files that are left out."""
    advice = []
    n_for_ffmpeg = sum(_extension(path.name) in _FFMPEG_EXTENSIONS for path in left_out)
    if n_for_ffmpeg and not _ffmpeg.is_available():
        those = "them" if n_for_ffmpeg == len(left_out) else f"{n_for_ffmpeg} of them"
        advice.append(f"To read {those}, install FFmpeg: {_ffmpeg.HOW_TO_INSTALL}.")
    if n_for_ffmpeg < len(left_out):
        advice.append("Convert the others to FLAC." if advice else "Convert them to FLAC.")
    return " ".join(advice)


def warn_of_left_out(classes, stacklevel):
    """Warn of {class name: files of sound or video that are left out}, where there are any."""
    paths = [path for files in classes.values() for path in files]
    if not paths:
        return
    counts = ", ".join(f"{len(files)} in {name!r}" for name, files in classes.items() if files)
    named = ", ".join(repr(str(path)) for path in paths[:_N_NAMED])
    rest = f" and {len(paths) - _N_NAMED} more" if len(paths) > _N_NAMED else ""
    warnings.warn(
        f"Left out {len(paths)} sound or video file{'s' * (len(paths) > 1)} ({counts}): "
        f"{named}{rest}. {how_to_read(paths)}",
        stacklevel=stacklevel + 1,
    )


@validate_params({"folders": [str, os.PathLike, "array-like"]})
def load_audio_folders(folders):
    """List the recordings of class folders with their labels.

    Only names are read, no sound. The result has the shape of
    :func:`sklearn.datasets.load_files`.

    Parameters
    ----------
    folders : str, path-like or list of these
        A root folder whose sub-folders are the classes, or a list of the class folders
        themselves, each named by its last part. A class folder is searched with everything
        below it; links are followed, and each real folder is entered once. Recordings are
        recognised by their extension, in upper or lower case: all that libsndfile reads (but not
        headerless, MATLAB and HTK files), and where PyAV is installed (the extra
        ``skdaf[ffmpeg]``) also ``.m4a``, ``.mp4``, ``.aac``, ``.wma``, ``.webm``, ``.amr`` and
        others that FFmpeg reads. Hidden files and folders (leading dot) are skipped.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        `filenames`, list of str: the recordings, sorted by class, then by the parts of the path.
        `target`, ndarray of shape (n_files,): their classes as indices into `target_names`.
        `target_names`, list of str: the classes, sorted, in Unicode's composed form (NFC).
        The labels as strings are ``np.asarray(bunch.target_names)[bunch.target]``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If a folder does not exist, or is a file.
    ValueError
        If a class folder holds no recordings, a root holds recordings beside its class folders
        or no folder at all, two listed folders have the same name, or the list is empty.

    Warns
    -----
    UserWarning
        If files of sound or video are left out: it names them, and says how many each class has.
        If the names of two class folders differ only in their Unicode form: they are one class.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skdaf.datasets import load_audio_folders, make_audio_dataset
    >>> with tempfile.TemporaryDirectory() as root:
    ...     _ = make_audio_dataset(root, classes=["low_tone", "white_noise"], n_clips_per_class=2)
    ...     recordings = load_audio_folders(root)
    >>> recordings.target_names
    ['low_tone', 'white_noise']
    >>> recordings.target
    array([0, 0, 1, 1])
    >>> print(*np.asarray(recordings.target_names)[recordings.target])
    low_tone low_tone white_noise white_noise
    """
    one_root = isinstance(folders, (str, os.PathLike))
    classes = _classes_below(Path(folders)) if one_root else _classes_listed(folders)
    audio, left_out = zip(*map(_list_audio, classes.values()), strict=True)
    # The caller's line: validate_params is a level of its own.
    warn_of_left_out(dict(zip(classes, left_out, strict=True)), stacklevel=3)
    return Bunch(
        filenames=[str(path) for paths in audio for path in paths],
        target=np.repeat(np.arange(len(audio)), [len(paths) for paths in audio]),
        target_names=list(classes),
    )


def _at_level(samples, level):
    """Scale samples to an RMS level in dB below full scale."""
    return samples * (10 ** (level / 20) / np.sqrt(np.mean(samples**2)))


def _noise(rng, t, gain):
    """Return Gaussian noise whose amplitude spectrum is `gain`, a function of Hz."""
    frequencies = np.fft.rfftfreq(len(t), d=t[1])
    spectrum = np.fft.rfft(rng.standard_normal(len(t))) * gain(frequencies)
    spectrum[0] = 0  # an offset is level without sound
    return _at_level(np.fft.irfft(spectrum, n=len(t)), -20)


def _energy(rng, t, level, envelope):
    """Return noise of one band and level; `envelope` is a function of the time from 0 to 1."""
    noise = _noise(rng, t, lambda f: (f > 200) & (f < 1800))
    return _at_level(noise * envelope(t / t[-1]), level)


def _tone(rng, t, lowest, highest):
    """Return a tone with six harmonics, or fewer where half the sampling rate cuts them off."""
    pitch = np.exp(rng.uniform(np.log(lowest), np.log(highest)))
    orders = np.arange(1, 7)[:, None]
    phases = rng.uniform(0, 2 * np.pi, orders.shape)
    harmonics = np.sin(2 * np.pi * pitch * orders * t + phases) / orders
    return _at_level(harmonics[orders[:, 0] * pitch < 0.5 / t[1]].sum(axis=0), -20)


def _chirp(rng, t, rising):
    low, high = rng.uniform(200, 400), rng.uniform(1200, 1800)
    start, stop = (low, high) if rising else (high, low)
    return _at_level(signal.chirp(t, start, t[-1], stop, method="logarithmic"), -20)


# Name of a class -> function of (random generator, times in s) that gives the samples of a clip.
_KINDS = {
    "low_energy": partial(_energy, level=-42, envelope=lambda u: np.exp(-5 * u)),
    "medium_energy": partial(_energy, level=-30, envelope=lambda u: np.sin(4 * np.pi * u) ** 2),
    "high_energy": partial(_energy, level=-18, envelope=np.ones_like),
    "low_tone": partial(_tone, lowest=100, highest=250),
    "high_tone": partial(_tone, lowest=600, highest=1500),
    "rising_chirp": partial(_chirp, rising=True),
    "falling_chirp": partial(_chirp, rising=False),
    "white_noise": partial(_noise, gain=np.ones_like),
    "pink_noise": partial(_noise, gain=lambda f: np.sqrt(f[1] / np.maximum(f, f[1]))),
}

# Those that keep the number of samples, which block codes round up.
_SUBTYPES = {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}


def _clip_samples(kind, rng, duration, sampling_rate):
    t = np.arange(round(rng.uniform(*duration) * sampling_rate)) / sampling_rate
    samples = _KINDS[kind](rng, t) * 10 ** (rng.uniform(-3, 3) / 20)
    # Short fades: a cut through a wave is a click, the same in every class.
    samples *= np.minimum(1, np.minimum(t, t[-1] - t) / 0.003)
    return samples / max(1, np.abs(samples).max())


def _wav_bytes(samples, sampling_rate, subtype):
    buffer = io.BytesIO()
    sf.write(buffer, samples, sampling_rate, format="WAV", subtype=subtype)
    content = bytearray(buffer.getvalue())
    # In float files libsndfile notes the peak and the time of day: 4 bytes that differ each second.
    peak = content.find(b"PEAK", 0, content.index(b"data"))
    if peak >= 0:
        content[peak + 12 : peak + 16] = bytes(4)
    return bytes(content)


def _check_nothing_else(directory, clips):
    """Raise if a directory holds anything but clips that would be written there."""
    class_folders = {path.parent for path in clips}
    for parent, folders, files in _walk(directory):
        foreign = [parent / name for name in folders if parent / name not in class_folders]
        paths = [parent / name for name in files]
        foreign += [p for p in paths if p not in clips or p.read_bytes() != clips[p]()]
        if foreign:
            raise FileExistsError(
                f"{str(foreign[0])!r} is not part of the set to be written. Choose an empty or "
                "new directory, or the arguments of the call that wrote this one."
            )


def _check_clip_arguments(classes, duration):
    unknown = [name for name in classes if name not in _KINDS]
    if unknown:
        raise ValueError(f"Unknown class {unknown[0]!r}. Known classes are {', '.join(_KINDS)}.")
    if not classes or len(set(classes)) < len(classes):
        raise ValueError(f"Got classes={classes!r} but expected one or more different names.")
    if len(duration) != 2 or not 0.01 <= duration[0] <= duration[1] < np.inf:
        raise ValueError(f"Got duration={duration!r} but expected 0.01 <= shortest <= longest (s).")


@validate_params(
    {
        "directory": [str, os.PathLike],
        "classes": ["array-like"],
        "n_clips_per_class": [Interval(Integral, 1, None, closed="left")],
        "duration": [tuple, list],
        "sampling_rate": [Interval(Integral, 4000, None, closed="left")],
        "subtype": [StrOptions(_SUBTYPES)],
        "random_state": ["random_state"],
    }
)
def make_audio_dataset(
    directory,
    *,
    classes=("low_energy", "medium_energy", "high_energy"),
    n_clips_per_class=20,
    duration=(0.3, 0.8),
    sampling_rate=16000,
    subtype="PCM_16",
    random_state=0,
):
    """Write a small labelled set of synthetic recordings as WAV files.

    The files are ``directory/<class>/<class>_<NNN>.wav``. Length, level (within 3 dB) and pitch
    are drawn separately for each clip. The kinds of sound are:

    - ``"low_energy"``, ``"medium_energy"``, ``"high_energy"``: noise from 200 to 1800 Hz at -42,
      -30 and -18 dB. Since many front ends level out the loudness, the energy also runs
      differently over time: it decays, comes in four pulses, or is steady.
    - ``"low_tone"``, ``"high_tone"``: tones with harmonics, 100 to 250 and 600 to 1500 Hz.
    - ``"rising_chirp"``, ``"falling_chirp"``: between 200 to 400 and 1200 to 1800 Hz.
    - ``"white_noise"``, ``"pink_noise"``: up to half the sampling rate.

    Parameters
    ----------
    directory : str or path-like
        Where to write; made if it does not exist.
    classes : array-like of str, default=("low_energy", "medium_energy", "high_energy")
        Kinds of sound, from the list above.
    n_clips_per_class : int, default=20
        Number of files in each class folder.
    duration : (float, float), default=(0.3, 0.8)
        Shortest and longest clip in seconds, at least 0.01.
    sampling_rate : int, default=16000
        Samples a second in Hz, at least 4000.
    subtype : {"PCM_16", "PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}, \
            default="PCM_16"
        Encoding of the samples.
    random_state : int, RandomState instance or None, default=0
        With an int, a clip depends on this seed, its class and its number only: more clips or
        classes leave the others as they are, so a set can grow in place.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        `filenames`, `target` and `target_names` as given by :func:`load_audio_folders`.

    Raises
    ------
    FileExistsError
        If `directory` holds a visible file or folder that this call would not write, or would
        write with other content; nothing is written then. Equal files are left untouched.
    NotADirectoryError
        If `directory` is a file.
    ValueError
        If a class is unknown or given twice, or another argument is out of range.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skdaf.datasets import make_audio_dataset
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     dataset = make_audio_dataset(directory, n_clips_per_class=2)
    >>> dataset.target_names
    ['high_energy', 'low_energy', 'medium_energy']
    >>> Path(dataset.filenames[0]).name
    'high_energy_000.wav'
    """
    classes, directory = [str(name) for name in classes], Path(directory)
    _check_clip_arguments(classes, duration)
    if not isinstance(random_state, Integral):
        random_state = check_random_state(random_state).randint(np.iinfo(np.int32).max)

    def content(kind, index):
        # crc32 because hash() of a string changes from one process to the next.
        rng = np.random.default_rng([random_state, zlib.crc32(kind.encode()), index])
        samples = _clip_samples(kind, rng, duration, sampling_rate)
        return _wav_bytes(samples, sampling_rate, subtype)

    clips = {
        directory / kind / f"{kind}_{index:03d}.wav": partial(content, kind, index)
        for kind in classes
        for index in range(n_clips_per_class)
    }
    if directory.exists():
        _check_folder(directory)
        _check_nothing_else(directory, clips)
    for path, make in clips.items():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, make())
    return load_audio_folders(directory)
