"""The user study: a page that knows no method's name, answers in a real browser, and their table."""

import csv
import json
import os
import re
import shutil
import time

import pytest

from mamba_portrait.cli import main
from mamba_portrait.learning.evaluation.judge import study
from mamba_portrait.learning.evaluation.judge.study import films_of, make_study, read_answers, shares, study_table

from ....host.comfyui.conftest import Browser
from .conftest import moving_film, write_film

METHODS = ("ours", "theirs", "third")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Films of three methods: two clips, and one that `third` lacks."""
    root = tmp_path_factory.mktemp("study")
    for i, name in enumerate(METHODS):
        for k, clip in enumerate(("clip_1", "clip_2", "clip_3")):
            if (name, clip) != ("third", "clip_3"):
                write_film(root / name / f"{clip}.mp4", moving_film(10 * i + k, 8))
    return root


@pytest.fixture(scope="module")
def made(folder):
    page, key = folder / "study.html", folder / "key.json"
    assert make_study([films_of(f"{name}={folder / name}") for name in METHODS], page, key) == 2
    return page, key


def content(page):
    return json.loads(re.search(r'type="application/json">(.*?)</script>', page.read_text("utf8"), re.S)[1])


def answer(key, path, person, choose, clips=("clip_1", "clip_2")):
    """A file of answers: `choose` gives the method for a clip and a criterion."""
    told = json.loads(key.read_text("utf8"))
    by_method = {(film["clip"], film["method"]): name for name, film in told["films"].items()}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["study", "participant", "clip", "criterion", "film", "shown_as", "clip_number", "seconds"])
        for clip in clips:
            for criterion in study.CRITERIA:
                film = by_method[clip, choose(clip, criterion)]
                writer.writerow([told["study"], person, clip, criterion, film, "A", 1, "2.0"])
    return path


def test_the_page_is_whole_and_blind(made, folder):
    page, key = made
    text, told = page.read_text("utf8"), json.loads(key.read_text("utf8"))
    assert not any(name in text for name in METHODS) and "://" not in text and str(folder) not in text
    assert study.PLACE not in text
    shown = content(page)
    assert [clip["name"] for clip in shown["clips"]] == ["clip_1", "clip_2"]
    ids = [film["id"] for clip in shown["clips"] for film in clip["films"]]
    assert sorted(ids) == sorted(told["films"]) and len(set(ids)) == 6
    assert all(film["data"].startswith("data:video/mp4;base64,") for clip in shown["clips"] for film in clip["films"])
    assert [criterion["name"] for criterion in shown["criteria"]] == ["Lip-sync", "Naturalness", "Quality"]
    assert told["methods"] == list(METHODS)


def test_answers_become_percentages_with_intervals(made, tmp_path):
    _, key = made
    files = [
        answer(key, tmp_path / "ann.csv", "ann", lambda clip, asked: "ours"),
        answer(key, tmp_path / "bob.csv", "bob", lambda clip, asked: "ours" if asked == "Quality" else "theirs"),
        answer(key, tmp_path / "eve.csv", "eve", lambda clip, asked: "third" if clip == "clip_2" else "ours"),
    ]
    methods, answers = read_answers(files, key)
    assert len(answers) == 3 * 2 * 3
    found = shares(methods, answers)
    lips = {name: share.value for name, share in found["Lip-sync"].items()}
    assert lips == pytest.approx({"ours": 50, "theirs": 100 / 3, "third": 100 / 6})
    share = found["Quality"]["ours"]
    assert share.value == pytest.approx(500 / 6) and share.low < 70 and share.high == 100 and share.count == 3
    table = study_table(methods, found)
    assert "| Lip-sync | 50.00 [" in table and "| Criterion | ours (%) | theirs (%) | third (%) | people |" in table
    assert "| Naturalness | 1.11 | 6.67 | 11.11 | 12.22 | 0.00 | 0.00 | 68.89 |" in table
    alone = shares(*read_answers(files[:1], key))
    assert alone["Quality"]["ours"].value == 100 and alone["Quality"]["ours"].low != alone["Quality"]["ours"].low
    assert "| Quality | 100.00 | 0.00 | 0.00 | 1 |" in study_table(methods, alone)


def test_answers_that_do_not_count_are_told(made, tmp_path):
    _, key = made
    file = answer(key, tmp_path / "ann.csv", "ann", lambda clip, asked: "ours")
    shutil.copy(file, tmp_path / "copy.csv")
    with pytest.raises(ValueError, match="copy.csv and ann.csv hold the same answers of ann"):
        read_answers([file, tmp_path / "copy.csv"], key)
    other = tmp_path / "key.json"
    told = json.loads(key.read_text("utf8"))
    other.write_text(json.dumps(told | {"study": "00000000"}))
    with pytest.raises(ValueError, match="ann.csv line 2 is of another study than key.json"):
        read_answers([file], other)
    (tmp_path / "none.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="none.csv is no file of answers: it has no column study"):
        read_answers([tmp_path / "none.csv"], key)


def test_what_makes_no_study_is_told(folder, tmp_path, monkeypatch, capsys):
    ours = f"ours={folder / 'ours'}"
    page = ["study", "--page", str(tmp_path / "a.html"), "--key", str(tmp_path / "a.json")]
    empty = tmp_path / "empty"
    empty.mkdir()
    for command, words in (
        ([*page, "--method", ours], "2 to 12 methods"),
        ([*page, "--method", ours, "--method", ours], "different names"),
        ([*page, "--method", ours, "--method", f"e={empty}"], "no film of one name"),
        ([*page, "--method", ours, "--method", f"e={tmp_path / 'none'}"], "no such folder"),
        (page[:1] + page[3:], "either --page"),
    ):
        assert main(command) == 2
        assert words in capsys.readouterr().err
    monkeypatch.setattr(study, "MOST_BYTES", 1000)
    assert main([*page, "--method", ours, "--method", f"t={folder / 'theirs'}"]) == 2
    assert "fewer with --clips" in capsys.readouterr().err
    assert not (tmp_path / "a.html").exists() and not (tmp_path / "a.json").exists()


def test_clips_are_spread_evenly(folder, tmp_path, capsys):
    methods = [part for name in ("ours", "theirs") for part in ("--method", f"{name}={folder / name}")]
    command = ["study", "--page", str(tmp_path / "a.html"), "--key", str(tmp_path / "a.json"), "--clips", "2"]
    assert main([*command, *methods]) == 0
    assert "2 clips of 2 methods" in capsys.readouterr().out
    assert [clip["name"] for clip in content(tmp_path / "a.html")["clips"]] == ["clip_1", "clip_3"]


@pytest.fixture
def browser(tmp_path):
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None or os.name == "nt":
        pytest.skip("no Chromium here: install one to test the page of the user study")
    page = Browser(program, tmp_path / "profile")
    yield page
    page.close()


CHOOSE = """(() => {
  const sets = document.querySelectorAll('fieldset');
  sets.forEach((set, k) => { const all = set.querySelectorAll('input'); all[k % all.length].click(); });
  return document.getElementById('next').disabled; })()"""


def test_the_page_asks_and_saves(made, browser, tmp_path, capsys):
    page, key = made
    browser.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.send("Page.navigate", url=page.as_uri())
    browser.until("document.readyState == 'complete' && typeof begin == 'function'", 60)
    assert browser.evaluate("document.getElementById('start').disabled")
    begin = "const w = document.getElementById('who'); w.value = 'Ann, \"3\"'; w.oninput(); start.click(); order.length"
    assert browser.evaluate(begin) == 2
    first = "document.querySelectorAll('video').length + ' ' + document.getElementById('place').textContent"
    assert browser.evaluate(first) == "3 Clip 1 of 2"
    browser.until("[...document.querySelectorAll('video')].every(v => v.readyState >= 2 && v.videoWidth == 64)", 60)
    assert browser.evaluate("document.getElementById('next').disabled")
    assert browser.evaluate(CHOOSE) is False
    browser.evaluate("document.getElementById('next').click()")
    assert browser.evaluate("document.getElementById('next').disabled")  # the second clip is open
    before = browser.evaluate("JSON.stringify(order)")
    browser.send("Page.reload")  # what was answered is kept, and the order is the same
    browser.until("document.readyState == 'complete' && typeof begin == 'function' && order.length == 0", 60)
    browser.evaluate(begin.replace("const w", "var w"))
    assert browser.evaluate("JSON.stringify(order)") == before and browser.evaluate("place") == 1
    browser.evaluate("document.getElementById('back').click()")
    assert browser.evaluate("document.querySelectorAll('input:checked').length") == 3  # what was chosen is shown
    browser.evaluate("document.getElementById('next').click()")
    browser.evaluate(CHOOSE)
    browser.evaluate("document.getElementById('next').click()")
    assert browser.evaluate("!document.getElementById('end').hidden")
    browser.evaluate("save()")
    saved, end = tmp_path / "answers_Ann_3_.csv", time.monotonic() + 30
    while not saved.exists() and time.monotonic() < end:
        time.sleep(0.1)
    methods, answers = read_answers([saved], key)
    assert len(answers) == 6 and {person for person, _, _ in answers} == {'Ann, "3"'}
    assert {method for _, _, method in answers} <= set(METHODS)
    assert main(["study", "--key", str(key), "--answers", str(saved), "--table", str(tmp_path / "table.md")]) == 0
    assert (tmp_path / "table.md").read_text("utf8") == capsys.readouterr().out
