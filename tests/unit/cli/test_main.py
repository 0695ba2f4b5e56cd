"""The program's first moments, as a process."""

import signal
import subprocess
import sys

#: Ctrl-C comes while the command line is being imported.
_INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever runs the tests may ignore it
class Interrupts:
    def find_spec(self, name, *_):
        if name == "oxlo.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
from oxlo.__main__ import main
main()
"""


def test_interrupted_while_importing() -> None:
    """Ctrl-C in the first moments ends the program as a shell expects, without a traceback."""
    done = subprocess.run([sys.executable, "-c", _INTERRUPTED], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
