"""Writes the nodes' texts and help pages, in all languages, from their schemas and the translations beside this file.

    python -m mamba_portrait.locales.build

English is the schemas'. A text that has no translation, or one of an earlier English text, is named, an entry for it is
put into `zh.po` and the others, and the command ends with status 1; until it is filled in, pages show the English text.
"""

import json
import sys
from pathlib import Path

from ..nodes.workflow import node_classes
from . import catalogue
from .catalogue import LANGUAGES, Catalogue, Text
from .page import Say, help_page

ROOT = Path(__file__).parent.parent
PREFIX = "MambaPortrait"

MAIN = {
    "nodeCategories": {
        "Mamba Portrait": "Mamba Portrait",
        **{name: name for name in ("Loaders", "Portrait", "Voice", "Motion", "Render", "ACTalker", "Examples")},
    },
    "dataTypes": {
        "MAMBA_RENDERER": "Mamba renderer",
        "MAMBA_MOTION_MODEL": "Mamba motion model",
        "MAMBA_SOURCE": "Mamba source",
        "MAMBA_APPEARANCE": "Mamba appearance",
        "MAMBA_AUDIO_GLOBAL": "Mamba global audio",
        "MAMBA_AUDIO_LOCAL": "Mamba local audio",
        "MAMBA_MOTION": "Mamba motion",
        "MAMBA_FIELD": "Mamba motion field",
        "MAMBA_FLOW": "Mamba flow",
        "MAMBA_CROP": "Mamba crop",
        "MAMBA_CONTROL": "Mamba control",
        "MAMBA_FACE_BOX": "Mamba face box",
        "MAMBA_FACE_TRACK": "Mamba face track",
        "MAMBA_ACTALKER": "ACTalker",
        "MAMBA_ACTALKER_IDENTITY": "ACTalker identity",
        "MAMBA_ACTALKER_VOICE": "ACTalker voice",
        "MAMBA_ACTALKER_MOTION": "ACTalker motion",
    },
}


def own_schemas() -> dict:
    """Our nodes' schemas by id."""
    return {name: cls.GET_SCHEMA() for name, cls in node_classes().items() if name.startswith(PREFIX)}


def english(text: Text) -> str:
    return text.english


def main_texts(say: Say) -> dict:
    """main.json of a language: names of categories and socket types."""
    return {
        group: said({key: say(Text(f"{group}.{key.replace(' ', '_')}", text)) for key, text in texts.items()})
        for group, texts in MAIN.items()
    }


def node_definitions(say: Say = english) -> dict:
    """nodeDefs.json of a language. Translated choices are our own addition, which `web/choice_names.js` reads."""
    return {name: definition(schema, say) for name, schema in own_schemas().items()}


def definition(schema, say: Say) -> dict:
    """The texts of one node."""

    def words(place: str, text: str) -> str | None:
        return say(Text(f"{schema.node_id}.{place}", text))

    def socket(place: str, name: str, tooltip: str) -> dict:
        return said({"name": words(f"{place}.name", name), "tooltip": words(f"{place}.tooltip", tooltip)})

    inputs = {i.id: socket(f"inputs.{i.id}", i.display_name or i.id, i.tooltip) for i in schema.inputs}
    for i in schema.inputs:
        labels = {choice: label(schema.node_id, i.id, choice, say) for choice in choices(i)}
        if any(labels.values()):
            inputs[i.id]["options"] = said(labels)
    outputs = {
        str(n): socket(f"outputs.{n}", o.display_name or o.get_io_type(), o.tooltip)
        for n, o in enumerate(schema.outputs)
    }
    named = {
        "display_name": words("display_name", schema.display_name),
        "description": words("description", schema.description),
    }
    return {**said(named), "inputs": inputs, "outputs": outputs}


def choices(socket) -> list[str]:
    """The choices of a list that have a meaning in words: neither files nor sizes in pixels."""
    if socket.id == "weights":
        return []
    options = getattr(socket, "options", None) or ()
    return [option for option in options if not option.isdigit() and ".safetensors" not in option]


def label(node: str, socket: str, choice: str, say: Say) -> str | None:
    """What a translated list shows: the translation and the value, which tooltips and saved graphs name."""
    words = say(Text(f"{node}.inputs.{socket}.options.{choice.replace(' ', '_')}", choice, "choice"))
    return words and (None if words == choice else f"{words} ({choice})")


def said(texts: dict[str, str | None]) -> dict[str, str]:
    """Without the texts that have no translation."""
    return {key: text for key, text in texts.items() if text is not None}


def texts() -> list[Text]:
    """All English texts that a language translates, in the order of the nodes."""
    found: dict[tuple, Text] = {}

    def collect(text: Text) -> str:
        found.setdefault((text.place, text.english), text)
        return text.english

    written(collect)
    return list(found.values())


def written(say: Say) -> dict:
    """The contents of a language's files: main.json, nodeDefs.json and help pages by node."""
    pages = {name: help_page(schema, say) for name, schema in own_schemas().items()}
    return {"main": main_texts(say), "nodeDefs": node_definitions(say), "pages": pages}


def documents(translations: dict[str, Catalogue] | None = None) -> dict[str, str]:
    """Path below the pack -> text, of all languages; without an argument with the translations as they are stored."""
    translations = translations or {language: catalogue.load(language) for language in LANGUAGES}
    found = {}
    for language, say in {"en": english, **{key: value.say for key, value in translations.items()}}.items():
        contents = written(say)
        for file in ("main", "nodeDefs"):
            found[f"locales/{language}/{file}.json"] = dump(contents[file])
        for name, page in contents["pages"].items():
            found[f"web/docs/{name}.md" if language == "en" else f"web/docs/{name}/{language}.md"] = page
    return found


def dump(value: dict) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def build() -> list[str]:
    """Write everything; the sentences about what is not translated."""
    wanted, complaints = texts(), []
    translations = {language: catalogue.load(language).merged(wanted) for language in LANGUAGES}
    files = {f"locales/{language}.po": catalogue.dump(value, language) for language, value in translations.items()}
    for name, text in {**files, **documents(translations)}.items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text, encoding="utf-8")
    for language, value in translations.items():
        for text in value.missing(wanted):
            entry = value.entry(text)
            why = "has no translation" if not entry.msgstr else "changed in English since it was translated (#, fuzzy)"
            complaints.append(f"locales/{language}.po: {text.place} {why}: {text.english}")
    return complaints


if __name__ == "__main__":
    complaints = build()
    for complaint in complaints:
        print(complaint)
    if complaints:
        sys.exit(f"{len(complaints)} texts are not translated: fill in msgstr in the files named, and run this again.")
