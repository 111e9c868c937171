"""A lock on a file that one process holds and that dies with it, kill -9 included."""

import os
import threading
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

FAR = 1 << 20  # the byte that is locked on Windows, where locked bytes cannot be read

_held: dict[str, str] = {}  # what this process holds, to which the system's locks are no obstacle, and its texts
_guard = threading.Lock()


class FileLock:
    """Of processes, and of objects in one, only one holds `path` at a time; the file is made where there is none.

    The system's record locks are used: children do not inherit them, and NFS carries them to other machines."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._key = os.path.realpath(self.path)
        self._number: int | None = None  # the file descriptor

    def take(self, text: str = "") -> bool:
        """Take the lock and write `text` for the others; False where another holds it.

        Raises OSError where the folder can hold no file, or no lock."""
        with _guard:
            if self._key in _held:
                return False
            _held[self._key] = text
        try:
            self._number = self._taken()
            if self._number is not None and text:
                os.ftruncate(self._number, 0)
                os.write(self._number, text.encode())
        finally:
            if self._number is None:
                _held.pop(self._key, None)
        return self._number is not None

    def _taken(self) -> int | None:
        """A descriptor of the file with the lock; a file that its last holder removed meanwhile is made again."""
        while True:
            number = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(number)
                if os.path.exists(self.path) and os.path.samestat(os.fstat(number), os.stat(self.path)):
                    return number
            except (BlockingIOError, PermissionError):  # what the system says of a lock that another holds
                os.close(number)
                return None
            except BaseException:
                os.close(number)
                raise
            os.close(number)

    def text(self) -> str:
        """What the holder wrote; empty where nothing can be read."""
        if self._number is not None:
            os.lseek(self._number, 0, os.SEEK_SET)
            return os.read(self._number, 1 << 12).decode("utf-8", "replace")
        with _guard:
            if self._key in _held:  # closing the file would give the lock of this process back
                return _held[self._key]
            try:
                return self.path.read_text("utf-8", "replace")
            except OSError:
                return ""

    def release(self, remove: bool = True) -> None:
        """Give the lock back, and remove its file."""
        if self._number is None:
            return
        if remove and os.name != "nt":  # while it is held, so that nobody has it in the meantime
            self.path.unlink(missing_ok=True)
        os.close(self._number)
        self._number = None
        _held.pop(self._key, None)
        if remove and os.name == "nt":
            with suppress(OSError):
                self.path.unlink(missing_ok=True)


def _lock(number: int) -> None:
    if fcntl is not None:
        fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        os.lseek(number, FAR, os.SEEK_SET)
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        os.lseek(number, 0, os.SEEK_SET)
