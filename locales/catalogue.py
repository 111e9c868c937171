"""Translations of the nodes' texts: one PO file a language, keyed by the English text.

An entry without a context holds wherever its English text stands. With `msgctxt` it holds for one kind of text
(`choice`: of a list, `help`: words of the help pages), or for one place alone, which it then names as the `#:` comments
do: `MambaPortraitJointControl.inputs.audio.name`. An entry marked `#, fuzzy` translates an earlier English text, which
`#|` shows: correct the translation and remove both lines.
"""

import json
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

FOLDER = Path(__file__).parent
LANGUAGES = ("zh", "ja", "ko", "fr", "de", "es")


@dataclass(frozen=True)
class Text:
    """An English text, where it stands, and the kind of text it is if that decides about its translation."""

    place: str
    english: str
    kind: str | None = None


@dataclass
class Entry:
    """One message of a PO file."""

    msgid: str
    msgstr: str = ""
    msgctxt: str | None = None
    places: list[str] = field(default_factory=list)
    previous: str | None = None  # the English text that msgstr translates, where that is not msgid

    @property
    def done(self) -> bool:
        return bool(self.msgstr) and self.previous is None


class Catalogue:
    """The translations of one language."""

    def __init__(self, entries: list[Entry]):
        self.entries = {(entry.msgctxt, entry.msgid): entry for entry in entries}

    def entry(self, text: Text) -> Entry | None:
        """The entry for a text: that of its place, else that of its kind."""
        return self.entries.get((text.place, text.english)) or self.entries.get((text.kind, text.english))

    def say(self, text: Text) -> str | None:
        """The translation, or None where there is none of today's English text."""
        entry = self.entry(text)
        return entry.msgstr if entry and entry.done else None

    def merged(self, texts: list[Text]) -> "Catalogue":
        """The entries that these texts need, in their order. Where the English of a place has changed, the earlier
        translation is kept as a fuzzy one; where there is none, the entry is empty."""
        before = {place: entry for entry in self.entries.values() for place in entry.places}
        merged: dict[tuple, Entry] = {}
        for text in texts:
            known, earlier = self.entry(text), before.get(text.place)
            if known:
                fresh = Entry(known.msgid, known.msgstr, known.msgctxt, [], known.previous)
            elif earlier and earlier.msgstr:
                fresh = Entry(text.english, earlier.msgstr, text.kind, [], earlier.previous or earlier.msgid)
            else:
                fresh = Entry(text.english, "", text.kind)
            merged.setdefault((fresh.msgctxt, fresh.msgid), fresh).places.append(text.place)
        return Catalogue(list(merged.values()))

    def missing(self, texts: list[Text]) -> list[Text]:
        """The texts that have no translation, or one of an earlier English text."""
        return [text for text in texts if self.say(text) is None]


def path(language: str) -> Path:
    return FOLDER / f"{language}.po"


def load(language: str) -> Catalogue:
    """The catalogue of a language. ValueError names the file and line that is not in PO form."""
    file = path(language)
    return Catalogue(parse(file.read_text(encoding="utf-8"), file.name) if file.exists() else [])


def parse(text: str, name: str) -> list[Entry]:
    """The entries of a PO file, without its header. ValueError names the line that is not PO."""
    entries = []
    numbered = list(enumerate(text.splitlines(), 1))
    for empty, block in groupby(numbered, key=lambda line: not line[1].strip()):
        values, places = ({}, []) if empty else read_block(list(block), name)
        if values.get("msgid"):
            context, previous = values.get("msgctxt"), values.get("#| msgid")
            entries.append(Entry(values["msgid"], values.get("msgstr", ""), context, places, previous))
    return entries


def read_block(lines: list[tuple[int, str]], name: str) -> tuple[dict[str, str], list[str]]:
    """The strings of one message by keyword, and the places of its `#:` comments."""
    values: dict[str, str] = {}
    places: list[str] = []
    current = None
    for number, line in lines:
        if line.startswith("#:"):
            places += line[2:].split()
        elif not line.startswith("#") or line.startswith("#| "):
            keyword, _, quoted = (current, "", line[1:]) if line.startswith('"') else line.partition(' "')
            if keyword not in ("msgctxt", "msgid", "msgstr", "#| msgid"):
                raise ValueError(f'{name}, line {number}: expected msgid "...", msgstr "..." or a comment.')
            current = keyword
            try:
                values[keyword] = values.get(keyword, "") + json.loads(f'"{quoted}')
            except ValueError:
                raise ValueError(f"{name}, line {number}: the quotes or backslashes are not those of PO.") from None
    return values, places


def dump(catalogue: Catalogue, language: str) -> str:
    """The text of a PO file."""
    header = ["MIME-Version: 1.0", "Content-Type: text/plain; charset=UTF-8", f"Language: {language}"]
    blocks = ['msgid ""\nmsgstr ""\n' + "\n".join(quote(line + "\n") for line in header)]
    for entry in catalogue.entries.values():
        lines = [f"#: {place}" for place in entry.places]
        if entry.previous is not None:
            lines += ["#, fuzzy", f"#| msgid {quote(entry.previous)}"]
        if entry.msgctxt is not None:
            lines.append(f"msgctxt {quote(entry.msgctxt)}")
        blocks.append("\n".join([*lines, f"msgid {quote(entry.msgid)}", f"msgstr {quote(entry.msgstr)}"]))
    return "\n\n".join(blocks) + "\n"


def quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
