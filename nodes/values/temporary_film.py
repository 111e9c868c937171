"""Films in the host's temporary folder, each of which goes when nothing refers to it any more."""

import weakref
from contextlib import suppress
from pathlib import Path


class TemporaryFilm(str):
    """The name of a file that is removed together with the last reference to this object.

    Hosts keep the object that they are given as a VIDEO's source, a trimmed VIDEO the one of its origin, and drop both
    with their cache of the node's results: so long previews, further nodes and later runs find the film."""

    def __new__(cls, path: str | Path) -> "TemporaryFilm":
        film = super().__new__(cls, path)
        weakref.finalize(film, _remove, str(path))
        return film


def _remove(path: str) -> None:
    with suppress(OSError):  # on Windows, of a film that is being read; the host clears the folder when it starts
        Path(path).unlink(missing_ok=True)
