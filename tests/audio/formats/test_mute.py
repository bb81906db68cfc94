"""What C prints while muted is discarded; all other output appears."""

import ctypes
import os
import platform
import subprocess
import sys
import threading

import pytest

from skdaf._audio.formats.mute import mute

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc lets its streams be changed"
)


def c_print(text):
    """Write to both streams as a C library does."""
    library = ctypes.CDLL(None)
    for name in ("stdout", "stderr"):
        stream = ctypes.c_void_p.in_dll(library, name)
        library.fputs(f"{text} to {name}\n".encode(), stream)
        library.fflush(stream)


def test_c_can_print_only_before_and_after(capfd):
    c_print("before")
    with mute:
        c_print("inside")
    c_print("after")
    assert capfd.readouterr() == (
        "before to stdout\nafter to stdout\n",
        "before to stderr\nafter to stderr\n",
    )


def test_an_exception_ends_it(capfd):
    with pytest.raises(KeyError), mute:
        raise KeyError
    c_print("after")
    assert capfd.readouterr().err == "after to stderr\n"


def test_the_last_to_leave_ends_it(capfd):
    with mute:
        with mute:
            pass
        c_print("inside")
    c_print("after")
    assert capfd.readouterr().err == "after to stderr\n"


def test_many_threads_restore_the_streams(capfd):
    def enter_often():
        for _ in range(500):
            with mute:
                c_print("inside")

    threads = [threading.Thread(target=enter_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    c_print("after")
    assert capfd.readouterr() == ("after to stdout\n", "after to stderr\n")


def test_python_and_its_children_can_print_inside(capfd):
    with mute:
        os.write(2, b"descriptor\n")
        subprocess.run([sys.executable, "-c", "import sys; print('child', file=sys.stderr)"])
    assert capfd.readouterr().err == "descriptor\nchild\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_inside_can_print(capfd):
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from skdaf._audio.formats.mute import mute\nfrom test_mute import c_print\n"
        "with mute:\n    child = os.fork()\n    if not child:\n"
        "        c_print('child')\n        os._exit(0)\n    os.waitpid(child, 0)\n"
    )
    subprocess.run([sys.executable, "-c", code, os.path.dirname(__file__)], check=True)
    assert capfd.readouterr().err == "child to stderr\n"
