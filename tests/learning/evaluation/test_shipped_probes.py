"""Shipped weights are measured, and docs/method.md says which of their branches say nothing."""

import json
import re
from pathlib import Path

import pytest

from mamba_portrait.learning.evaluation.method import measured_weights, silent

ROOT = Path(__file__).resolve().parents[3]
PROBES = ROOT / "weights" / "probes.json"
HEADING = "### Branches that ship and say nothing"


def listed(text):
    """Branches of the list in docs/method.md: the bold beginnings of its items."""
    section = text.partition(HEADING)[2].partition("\n#")[0]
    return set(re.findall(r"^- \*\*(.+?)\*\*", section, re.MULTILINE))


def undeclared(rows, text):
    """Branches that say nothing and are not in the list, and those of the list that do have a say."""
    return silent(rows) - listed(text), listed(text) & {row["branch"] for row in rows} - silent(rows)


@pytest.fixture
def probes():
    return json.loads(PROBES.read_text("utf8"))


@pytest.fixture
def docs():
    return (ROOT / "docs" / "method.md").read_text("utf8")


def test_the_figures_are_of_the_weights_that_ship(probes, monkeypatch):
    monkeypatch.delenv("MAMBA_PORTRAIT_WEIGHTS", raising=False)
    shipped = measured_weights(renderer=None, motion_model=None)
    assert len(shipped) == 2
    assert probes["weights"] == shipped, (
        "the weights are not those that weights/probes.json was measured on: run `evaluate --method --out DIR`, copy "
        "DIR/figures.json there, and update the tables of docs/method.md and the card"
    )


def test_every_shipped_branch_has_a_say_or_is_listed(probes, docs):
    silent_ones, alive_ones = undeclared(probes["method"], docs)
    assert not silent_ones, f"{silent_ones} cost less than .1 dB or 2 %: give them a say, cut them, or list them"
    assert not alive_ones, f"{alive_ones} have a say: take them out of the list"
    assert {"F_A", "omega_m", "Mamba-l", "U", "history"} <= {row["branch"] for row in probes["method"]}


def test_a_branch_that_falls_silent_is_found(probes, docs):
    rows = probes["method"]
    branch = next(row for row in rows if row["branch"] == "U")
    for least in (0.09, 0.11):
        branch["costs"] = dict.fromkeys(branch["costs"], [least, 0.0, 0.2])
        assert undeclared(rows, docs)[0] == ({"U"} if least < 0.1 else set())
    branch["branch"] = "F_A"
    assert undeclared(rows[-1:] + [branch], docs)[1] == {"F_A"}
    assert undeclared(rows, docs.replace("**omega_m**", "**omega**"))[0] == {"omega_m"}
    assert not listed("no list")


def test_the_tables_of_the_docs_and_the_card_are_of_these_figures(probes, docs):
    card = (ROOT / "weights" / "README.md").read_text("utf8")
    for row in probes["method"]:
        for text in (docs, card):
            line = re.search(rf"^\| {re.escape(row['branch'])} \|.*\|$", text, re.MULTILINE)
            assert line, row["branch"]
            said = line[0].rstrip(" |").rpartition("| ")[2]
            assert said == ("yes" if row["alive"] else "no"), row["branch"]
            assert f"{row['value']:.3g}" in line[0], row["branch"]
