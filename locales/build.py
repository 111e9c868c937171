"""Writes the English locale and the nodes' help pages from their schemas.

    python -m mamba_portrait.locales.build

locales/zh is written by hand; a test checks that it is complete, and that this script's output is up to date.
"""

import json
from pathlib import Path

from ..nodes.workflow import node_classes
from .help import NOTES

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
        "MAMBA_CROP": "Mamba crop",
        "MAMBA_CONTROL": "Mamba control",
        "MAMBA_FACE_BOX": "Mamba face box",
        "MAMBA_ACTALKER": "ACTalker",
        "MAMBA_ACTALKER_IDENTITY": "ACTalker identity",
        "MAMBA_ACTALKER_VOICE": "ACTalker voice",
        "MAMBA_ACTALKER_MOTION": "ACTalker motion",
    },
}


def own_schemas() -> dict:
    """Our nodes' schemas by id."""
    return {name: cls.GET_SCHEMA() for name, cls in node_classes().items() if name.startswith(PREFIX)}


def node_definitions() -> dict:
    """The English nodeDefs.json."""
    return {
        name: {
            "display_name": schema.display_name,
            "description": schema.description,
            "inputs": {i.id: {"name": i.display_name or i.id, "tooltip": i.tooltip} for i in schema.inputs},
            "outputs": {
                str(n): {"name": o.display_name or o.get_io_type(), "tooltip": o.tooltip}
                for n, o in enumerate(schema.outputs)
            },
        }
        for name, schema in own_schemas().items()
    }


def _advanced(socket) -> bool:
    return bool(getattr(socket, "advanced", None))


def help_page(schema) -> str:
    """A node's help page in Markdown: description, notes, inputs and outputs."""
    lines = [f"# {schema.display_name}", "", schema.description, ""]
    if schema.node_id in NOTES:
        lines += [NOTES[schema.node_id].strip(), ""]
    if schema.inputs:
        lines += ["## Inputs", "", "| Name | Type | What it does |", "|---|---|---|"]
        for i in schema.inputs:
            kind = i.get_io_type() + (", optional" if i.optional else "") + (", advanced" if _advanced(i) else "")
            name = f"{i.display_name} (`{i.id}`)" if i.display_name else f"`{i.id}`"
            lines.append(f"| {name} | {kind} | {i.tooltip} |")
        lines.append("")
    if schema.outputs:
        lines += ["## Outputs", "", "| Name | Type | What it is |", "|---|---|---|"]
        lines += [f"| `{o.display_name}` | {o.get_io_type()} | {o.tooltip} |" for o in schema.outputs]
        lines.append("")
    return "\n".join(lines)


def documents() -> dict[str, str]:
    """Path below the pack -> text."""
    found = {
        "locales/en/main.json": dump(MAIN),
        "locales/en/nodeDefs.json": dump(node_definitions()),
    }
    for name, schema in own_schemas().items():
        found[f"web/docs/{name}.md"] = help_page(schema)
    return found


def dump(value: dict) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, text in documents().items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text, encoding="utf-8")
        print(name)
