"""Speak one text with libespeak-ng and print the time of each phone: a program of its own, run by `engines`.

    python espeak.py LIBRARY VOICE SPEED PITCH RANGE < text

Each text has a process of its own, for two reasons: espeak-ng keeps state from one text to the next, so that only a new
process gives the same sound again; and the library (GPL) is not loaded into the pack, which uses its output alone. Only
ctypes is imported, to start quickly. Written to standard output: one line of JSON {"rate": Hz, "phones": [[seconds,
symbol], ...]}, then the samples as 16-bit little-endian. Exit status 2: no such library, 3: no such voice.
"""

import ctypes
import json
import sys


class Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),  # of a phoneme event: its symbol, not always ended by a zero
    ]


CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Event))
SYNCHRONOUS, PHONEME_EVENTS, IPA, UTF8 = 2, 1, 2, 1
LIST_END, PHONEME = 0, 7
SPEED, PITCH, PITCH_RANGE = 1, 3, 4
NO_LIBRARY, NO_VOICE = 2, 3


def main(path: str, voice: str, speed: str, pitch: str, pitch_range: str) -> int:
    try:
        library = ctypes.CDLL(path)
    except OSError:
        return NO_LIBRARY
    chunks: list[bytes] = []
    phones: list[tuple[float, str]] = []

    def receive(samples, count, events) -> int:
        if count > 0 and samples:
            chunks.append(ctypes.string_at(samples, 2 * count))
        i = 0
        while events[i].type != LIST_END:
            if events[i].type == PHONEME:
                raw = ctypes.string_at(ctypes.addressof(events[i]) + Event.name.offset, 8)
                phones.append((events[i].milliseconds / 1000, raw.split(b"\0")[0].decode("utf8", "ignore")))
            i += 1
        return 0

    rate = library.espeak_Initialize(SYNCHRONOUS, 0, None, PHONEME_EVENTS | IPA)
    callback = CALLBACK(receive)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        return NO_VOICE
    for parameter, value in ((SPEED, speed), (PITCH, pitch), (PITCH_RANGE, pitch_range)):
        library.espeak_SetParameter(parameter, int(value), 0)
    text = sys.stdin.buffer.read()
    library.espeak_Synth(text, len(text) + 1, 0, 1, 0, UTF8, None, None)
    library.espeak_Synchronize()
    sys.stdout.buffer.write(json.dumps({"rate": rate, "phones": phones}).encode() + b"\n" + b"".join(chunks))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
