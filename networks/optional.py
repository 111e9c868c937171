"""torchaudio, where the host's imports: its releases fit one torch each, and beside another they do not load."""

import functools
import logging
from types import ModuleType

logger = logging.getLogger(__name__)


@functools.cache
def torchaudio_functional() -> ModuleType | None:
    """`torchaudio.functional`; None, told once, where it cannot be imported. The callers then compute the same numbers
    with torch alone."""
    try:
        import torchaudio.functional as functional
    except Exception as error:  # ImportError without it; OSError and others where it was built for another torch
        logger.info("torchaudio does not import here (%s); sound is resampled and analysed with torch alone.", error)
        return None
    return functional
