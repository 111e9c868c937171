"""The nodes' texts in other languages: complete, of today's English, and in a form that every page reads."""

import json
import re
from pathlib import Path

import pytest

from mamba_portrait.locales import build, catalogue
from mamba_portrait.locales.catalogue import LANGUAGES, Catalogue, Entry, Text
from mamba_portrait.locales.help import PICTURES
from mamba_portrait.locales.page import blocks
from mamba_portrait.workflows import help_pictures

ROOT = Path(__file__).resolve().parents[2]
TEXTS = build.texts()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language):
    """What fails here shows the English text; run python -m mamba_portrait.locales.build, then fill in the .po file."""
    missing = catalogue.load(language).missing(TEXTS)
    assert [f"{text.place}: {text.english}" for text in missing] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_holds_what_the_nodes_need_and_nothing_else(language):
    stored = catalogue.load(language)
    merged = stored.merged(TEXTS)
    assert stored.entries.keys() == merged.entries.keys(), "run python -m mamba_portrait.locales.build"
    assert catalogue.path(language).read_text(encoding="utf-8") == catalogue.dump(merged, language)


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_no_text_has_the_characters_of_the_pages_message_syntax(language):
    """Pages up to 1.27 compile every message: braces, bars and at-signs would be read as syntax."""
    for file in ("main", "nodeDefs"):
        stored = json.loads((ROOT / "locales" / language / f"{file}.json").read_text(encoding="utf-8"))
        assert [text for text in texts_of(stored) if re.search(r"[{}|@]", text)] == []


def texts_of(value) -> list[str]:
    return [value] if isinstance(value, str) else [text for inner in value.values() for text in texts_of(inner)]


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_every_choice_is_named_where_it_stands(language):
    """Graphs and messages hold the values of choices, so tooltips name these in every language."""
    say = build.english if language == "en" else catalogue.load(language).say
    for name, schema in build.own_schemas().items():
        told = build.definition(schema, say)["inputs"]
        for socket in schema.inputs:
            for choice in build.choices(socket):
                word = rf"(?<![A-Za-z0-9_]){re.escape(choice)}(?![A-Za-z0-9_])"
                assert re.search(word, told[socket.id]["tooltip"]), f"{name}.{socket.id}: {choice}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translated_choices_show_the_value_beside_the_words(language):
    stored = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    labels = stored["MambaPortraitAssembleVideo"]["inputs"]["mode"]["options"]
    assert labels.keys() == {"relative", "keep_lips", "absolute", "expression"}
    assert all(label.endswith(f" ({value})") and len(label) > len(value) + 3 for value, label in labels.items())
    assert "options" not in stored["MambaPortraitSampleMotion"]["inputs"]["solver"]  # names of methods stay


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_help_pages_show_a_picture_for_each_node_of_the_main_graphs(language):
    assert PICTURES.keys() == {name for name in build.own_schemas() if "ACTalker" not in name}
    for name in PICTURES:
        page = ROOT / "web" / "docs" / (f"{name}.md" if language == "en" else f"{name}/{language}.md")
        assert f"](pictures/{name}.webp)" in page.read_text(encoding="utf-8")


TEXT = Text("Node.inputs.steps.tooltip", "Steps; 12 are enough.")


def test_changed_english_makes_the_translation_fuzzy_and_shows_english():
    old = Entry("Steps.", "Schritte.", None, [TEXT.place])
    merged = Catalogue([old]).merged([TEXT])
    assert merged.say(TEXT) is None and merged.missing([TEXT]) == [TEXT]
    (entry,) = merged.entries.values()
    assert (entry.msgid, entry.msgstr, entry.previous) == (TEXT.english, "Schritte.", "Steps.")
    (again,) = catalogue.parse(catalogue.dump(merged, "de"), "de.po")
    assert again == entry
    text = catalogue.dump(merged, "de").replace("#, fuzzy\n", "").replace('#| msgid "Steps."\n', "")
    assert Catalogue(catalogue.parse(text, "de.po")).say(TEXT) == "Schritte."


def test_new_texts_get_an_empty_entry_and_unused_ones_go():
    merged = Catalogue([Entry("Gone.", "Weg.", None, ["Node.description"])]).merged([TEXT])
    assert list(merged.entries) == [(None, TEXT.english)] and not merged.entry(TEXT).msgstr


def test_one_place_and_one_kind_may_have_words_of_their_own():
    entries = [Entry("face", "Gesicht"), Entry("face", "das Gesicht", "choice"), Entry("face", "Antlitz", "Node.name")]
    texts = [Text("Other.name", "face"), Text("Other.options.face", "face", "choice"), Text("Node.name", "face")]
    merged = Catalogue(entries).merged(texts)
    assert [merged.say(text) for text in texts] == ["Gesicht", "das Gesicht", "Antlitz"]


@pytest.mark.parametrize("line", ['msgidd "x"', "msgstr x", '"loose"', 'msgstr "a\\x"'])
def test_a_broken_catalogue_is_named_with_its_line(line):
    with pytest.raises(ValueError, match=r"^zh\.po, line 3: .*\.$"):
        catalogue.parse(f'#: Node.name\n\n{line}\nmsgid "a"', "zh.po")


def test_build_says_what_is_missing_and_where(tmp_path, monkeypatch):
    (tmp_path / "locales").mkdir()
    for language in LANGUAGES:
        (tmp_path / "locales" / f"{language}.po").write_bytes(catalogue.path(language).read_bytes())
    korean = tmp_path / "locales" / "ko.po"
    translation = catalogue.load("ko").say(Text("MambaPortraitCrop.outputs.0.tooltip", "The square portrait."))
    korean.write_text(korean.read_text(encoding="utf-8").replace(f'"{translation}"', '""'), encoding="utf-8")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path / "locales")
    complaints = build.build()
    place = "MambaPortraitCrop.outputs.0.tooltip"
    assert complaints == [f"locales/ko.po: {place} has no translation: The square portrait."]
    shown = json.loads((tmp_path / "locales" / "ko" / "nodeDefs.json").read_text(encoding="utf-8"))
    assert "tooltip" not in shown["MambaPortraitCrop"]["outputs"]["0"]  # the page then shows the English text
    assert "The square portrait." in (tmp_path / "web/docs/MambaPortraitCrop/ko.md").read_text(encoding="utf-8")


def test_notes_fall_into_paragraphs_and_items():
    note = "One\nparagraph.\n\n- first\n  goes on\n- second\n\nLast."
    assert blocks(note) == [("", "One paragraph."), ("- ", "first goes on"), ("- ", "second"), ("", "Last.")]


def test_pictures_of_the_help_pages_are_small_and_complete():
    files = {path.stem: path.stat().st_size for path in (ROOT / "web" / "docs" / "pictures").iterdir()}
    assert files.keys() == PICTURES.keys() == {f"MambaPortrait{name}" for name in help_pictures.DRAWN}
    assert max(files.values()) <= help_pictures.LARGEST and sum(files.values()) < 680_000
