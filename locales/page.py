"""The help page of a node, in Markdown, in one language."""

import re
from collections.abc import Callable

from .catalogue import Text
from .help import NOTES, PICTURES

Say = Callable[[Text], str | None]  # the translation of a text, or None


def help_page(schema, say: Say) -> str:
    """Description, picture, notes, inputs and outputs. What has no translation stays English."""
    node = schema.node_id

    def words(place: str, english: str, kind: str | None = None) -> str:
        return say(Text(f"{node}.{place}", english, kind)) or english

    def word(english: str) -> str:
        return say(Text(f"help.{english.replace(' ', '_')}", english, "help")) or english

    lines = [f"# {words('display_name', schema.display_name)}", "", words("description", schema.description), ""]
    if node in PICTURES:
        caption = words("picture", PICTURES[node])
        lines += [f"![{caption}](pictures/{node}.webp)", "", f"*{caption}*", ""]
    for number, (mark, note) in enumerate(blocks(NOTES.get(node, ""))):
        lines += [mark + words(f"note.{number}", note), *([] if mark else [""])]
    if lines[-1]:
        lines.append("")
    inputs = []
    for i in schema.inputs:
        shown = named(words(f"inputs.{i.id}.name", i.display_name or i.id), i.id)
        kind = ", ".join([i.get_io_type(), *(word(flag) for flag in flags(i))])
        inputs.append((shown, kind, words(f"inputs.{i.id}.tooltip", i.tooltip)))
    outputs = []
    for n, o in enumerate(schema.outputs):
        english = o.display_name or o.get_io_type()
        shown = named(words(f"outputs.{n}.name", english), english)
        outputs.append((shown, o.get_io_type(), words(f"outputs.{n}.tooltip", o.tooltip)))
    for title, heading, rows in (("Inputs", "What it does", inputs), ("Outputs", "What it is", outputs)):
        if rows:
            lines += [f"## {word(title)}", "", table_row(word("Name"), word("Type"), word(heading)), "|---|---|---|"]
            lines += [*(table_row(*row) for row in rows), ""]
    return "\n".join(lines)


def named(shown: str, name: str) -> str:
    """A translated or display name with the name that graphs use."""
    return f"`{name}`" if shown == name else f"{shown} (`{name}`)"


def table_row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def flags(socket) -> list[str]:
    """What the page says of an input besides its type."""
    return [flag for flag in ("optional", "advanced") if getattr(socket, flag, None)]


def blocks(note: str) -> list[tuple[str, str]]:
    """A note's paragraphs and list items, each on one line, with the mark it begins with: "" or "- "."""
    found: list[tuple[str, str]] = []
    for paragraph in re.split(r"\n\s*\n", note.strip()):
        for item in re.split(r"\n(?=- )", paragraph) if paragraph.startswith("- ") else [paragraph]:
            mark = "- " if item.startswith("- ") else ""
            found.append((mark, " ".join(item.removeprefix(mark).split())))
    return [(mark, text) for mark, text in found if text]
