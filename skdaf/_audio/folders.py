"""Find the recordings below folders, and the classes that the folders are named after."""

import os
import unicodedata
import warnings
from pathlib import Path

import soundfile as sf

from skdaf._audio.formats.ffmpeg import files as ffmpeg
from skdaf._audio.label_tables import about_table, about_tables_in, find_table

# RAW files have no header, so their rate is unknown. Most MATLAB and HTK files are not audio.
_SKIPPED_FORMATS = {"RAW", "MAT4", "MAT5", "HTK"}

# Formats whose file extensions are not just their names in libsndfile.
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

# Depends on the installed libsndfile: older releases do not read MP3.
_EXTENSIONS = frozenset(
    extension
    for name in sf.available_formats()
    if name not in _SKIPPED_FORMATS
    for extension in _ALIASES.get(name, (f".{name.lower()}",))
)

# Audio and video that FFmpeg reads if PyAV is installed.
_FFMPEG_EXTENSIONS = {
    ".3g2", ".3gp", ".3gpp", ".aac", ".ac3", ".adts", ".amr", ".ape", ".asf", ".avi", ".awb",
    ".divx", ".dsf", ".dts", ".dtshd", ".eac3", ".ec3", ".f4a", ".f4v", ".flv", ".latm",
    ".loas", ".m2p", ".m2t", ".m2ts", ".m4a", ".m4b", ".m4r", ".m4v", ".mk3d", ".mka", ".mkv",
    ".mov", ".mp+", ".mp4", ".mpc", ".mpeg", ".mpg", ".mpp", ".mts", ".ogm", ".ogv", ".ogx",
    ".qt", ".spx", ".tak", ".ts", ".tta", ".vob", ".weba", ".webm", ".wma", ".wmv",
    ".wv",
} - _EXTENSIONS  # fmt: skip

# Audio and video that skdaf cannot read. Omitting it without a warning would distort a dataset.
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

# What else than folders can have the labels.
_OTHER_LABELS = (
    "If the labels are in a table, use skdaf.datasets.load_audio_table, or --table of the command; "
    "if tables say what occurs when in each recording, use skdaf.clips_from_recordings, or "
    "--annotations."
)

# A warning names at most this many files.
_MAX_NAMES = 10


def _extension(name):
    return os.path.splitext(name)[1].lower()


def has_audio_extension(name):
    """Return whether a file name has the extension of a recording, also one that needs FFmpeg."""
    return _extension(name) in _EXTENSIONS | _FFMPEG_EXTENSIONS


def _raise(error):
    raise error


def _visible(names):
    return sorted(name for name in names if not name.startswith("."))


def walk(folder):
    """Yield (path, folder names, file names) for a folder and all folders below it.

    Names are sorted. Hidden files and folders are left out.
    """
    seen = {os.path.realpath(folder)}
    # By default, os.walk skips folders that it has no permission to list.
    for parent, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        folders[:] = _visible(folders)
        yield Path(parent), tuple(folders), _visible(files)
        # Links can lead back to a parent, so each real folder is entered only once.
        for name in tuple(folders):
            real = os.path.realpath(os.path.join(parent, name))
            if real in seen:
                folders.remove(name)
            seen.add(real)


def check_folder(folder):
    """Raise an OSError if a path is not a folder."""
    if not folder.exists():
        raise FileNotFoundError(f"The folder {str(folder)!r} does not exist.")
    if not folder.is_dir():
        raise NotADirectoryError(f"{str(folder)!r} is a file; expected a folder.")


def class_name(folder):
    """Return the name of a class folder in Unicode's composed form (NFC).

    Operating systems store names in different forms that look the same; they are one class.
    """
    # abspath, to get the names of "." and "..".
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
                f"The names of {names} differ only in their Unicode form ({forms}): they are "
                "treated as one class.",
                stacklevel=6,
            )
    return dict(sorted(classes.items()))


def classes_of(folders):
    """Return {class name: folders} for a root folder, or for a list of class folders."""
    if isinstance(folders, (str, os.PathLike)):
        return _classes_below(Path(folders))
    return _classes_listed(folders)


def _classes_below(root):
    """Return {class name: folders} for the subfolders of a root."""
    check_folder(root)
    _, folders, files = next(walk(root))
    outside = [name for name in files if has_audio_extension(name)]
    if outside or not folders:
        problem = f"{str(root)!r} has no subfolders."
        if outside:
            problem = f"{str(root / outside[0])!r} is not in a class folder."
            if not folders and root.parent != root:
                problem += f" If {str(root)!r} is the folder of a class, pass {str(root.parent)!r}."
        table = outside and find_table(root, [root / name for name in outside])
        raise ValueError(
            f"{problem} Pass a root folder that contains one folder per class and no recordings "
            f"outside them, or a list of class folders. {about_table(table) or _OTHER_LABELS}"
        )
    return _merged([root / name for name in folders])


def _classes_listed(folders):
    """Return {class name: folders} for class folders, in the order of their names."""
    known = {}
    for folder in map(Path, folders):
        check_folder(folder)
        name = os.path.basename(os.path.abspath(folder))
        if name in known:
            raise ValueError(
                f"Two class folders have the same name {name!r}: {str(known[name])!r} and "
                f"{str(folder)!r}."
            )
        known[name] = folder
    if not known:
        raise ValueError("The list of class folders is empty.")
    return _merged(known.values())


def has_audio_name(name):
    """Return whether the name of a file is that of a recording."""
    return _extension(name) in _EXTENSIONS | _FFMPEG_EXTENSIONS


def find_audio(folders):
    """Return the recordings below folders, and the audio and video files that are left out."""
    paths = [
        parent / name for folder in folders for parent, _, files in walk(folder) for name in files
    ]
    paths = sorted(paths, key=lambda path: path.parts)
    for_ffmpeg = [path for path in paths if _extension(path.name) in _FFMPEG_EXTENSIONS]
    # Checked only if it matters, because it imports PyAV.
    has_ffmpeg = bool(for_ffmpeg) and ffmpeg.is_available()
    readable = _EXTENSIONS | _FFMPEG_EXTENSIONS if has_ffmpeg else _EXTENSIONS
    others = _FFMPEG_EXTENSIONS | _OTHER_EXTENSIONS
    audio = [path for path in paths if _extension(path.name) in readable]
    left_out = [path for path in paths if _extension(path.name) in others - readable]
    return audio, left_out


def list_class(folders):
    """Return the recordings of one class, and the audio and video files that are left out.

    Raises ValueError if the class has no recordings.
    """
    audio, left_out = find_audio(folders)
    if left_out and not audio:
        raise ValueError(
            f"The class folder {str(folders[0])!r} contains no audio files that can be read, only "
            f"{len(left_out)} others such as {str(left_out[0])!r}. {how_to_read(left_out)}"
        )
    if not audio:
        raise ValueError(
            f"The class folder {str(folders[0])!r} contains no audio files. Recordings have the "
            f"extensions {', '.join(sorted(_EXTENSIONS))}. If it is not a class, pass a list of "
            f"the class folders instead of their root. {about_tables_in(folders[0])}".rstrip()
        )
    return audio, left_out


def how_to_read(left_out):
    """Return advice for a message: what to do about files that are left out."""
    advice = []
    n_for_ffmpeg = sum(_extension(path.name) in _FFMPEG_EXTENSIONS for path in left_out)
    if n_for_ffmpeg and not ffmpeg.is_available():
        those = "them" if n_for_ffmpeg == len(left_out) else f"{n_for_ffmpeg} of them"
        advice.append(f"To read {those}, install FFmpeg: {ffmpeg.HOW_TO_INSTALL}.")
    if n_for_ffmpeg < len(left_out):
        advice.append("Convert the others to FLAC." if advice else "Convert them to FLAC.")
    return " ".join(advice)


def warn_about_left_out(classes, stacklevel):
    """Warn if audio or video files are left out.

    Parameters
    ----------
    classes : dict of str to list of Path
        The files that are left out, by class.
    stacklevel : int
        As for `warnings.warn`, counted from the caller.
    """
    paths = [path for files in classes.values() for path in files]
    if not paths:
        return
    counts = ", ".join(f"{len(files)} in {name!r}" for name, files in classes.items() if files)
    named = ", ".join(repr(str(path)) for path in paths[:_MAX_NAMES])
    rest = f" and {len(paths) - _MAX_NAMES} more" if len(paths) > _MAX_NAMES else ""
    warnings.warn(
        f"Left out {len(paths)} audio or video file{'s' * (len(paths) > 1)} ({counts}): "
        f"{named}{rest}. {how_to_read(paths)}",
        stacklevel=stacklevel + 1,
    )
