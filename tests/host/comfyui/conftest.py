"""A real ComfyUI with this pack in it, and a real browser on its page. Skipped, with the reason, where there is none.

ComfyUI is looked for at COMFYUI_PATH, then above this folder (the pack as it lies in custom_nodes). It is run by
COMFYUI_PYTHON, a virtual environment in or beside it, or this Python, with a base folder of its own: it stays clean.
COMFYUI_OTHER_PATH and COMFYUI_OTHER_PYTHON name a second one, to which graphs and films of the first are taken.
"""

import base64
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PACK = Path(__file__).resolve().parents[3]
START_SECONDS = 300
ANSWER_SECONDS = 120  # of the browser, to one command
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Workflow.Persist": False}


def find_comfyui() -> Path | None:
    candidates = [os.environ.get("COMFYUI_PATH"), *(Path(os.path.abspath(__file__)).parents)]
    for folder in filter(None, candidates):
        if (Path(folder) / "comfy_execution").is_dir() and (Path(folder) / "main.py").is_file():
            return Path(folder)
    return None


def python_of(comfyui: Path, named: str = "COMFYUI_PYTHON") -> str:
    names = ("bin/python", "Scripts/python.exe")
    environments = [
        base / env / name for base in (comfyui, comfyui.parent) for env in (".venv", "venv") for name in names
    ]
    return os.environ.get(named) or next((str(p) for p in environments if p.is_file()), sys.executable)


class Refused(AssertionError):
    """The server's answer to a request that it does not take."""

    def __init__(self, path: str, answer: str):
        super().__init__(f"{path}: {answer}")
        self.answer = answer


class ComfyUI:
    """A running server."""

    def __init__(self, port: int, base: Path, process: subprocess.Popen):
        self.url, self.base, self.process = f"http://127.0.0.1:{port}", base, process
        self.client = uuid.uuid4().hex

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=60) as reply:
            return json.load(reply)

    def post(self, path: str, body: dict):
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                text = reply.read()
        except urllib.error.HTTPError as error:
            raise Refused(path, error.read().decode()) from error
        return json.loads(text) if text else None

    def queue(self, prompt: dict) -> str:
        return self.post("/prompt", {"prompt": prompt, "client_id": self.client})["prompt_id"]

    def wait(self, prompt_id: str, seconds: float = 300) -> dict:
        """The history entry of a prompt, once it is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]
            time.sleep(0.2)
        raise AssertionError(f"the prompt was not over after {seconds} s; server log:\n{self.log()}")

    def wait_for_another(self, known: set[str], seconds: float = 600) -> dict:
        """The history entry of the next prompt that is not among the known ones."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key, entry in self.get("/history").items():
                if key not in known:
                    return entry
            time.sleep(0.5)
        raise AssertionError(f"nothing was over after {seconds} s; server log:\n{self.log()}")

    def run(self, prompt: dict) -> dict:
        entry = self.wait(self.queue(prompt))
        messages = [told.get("exception_message", name) for name, told in entry["status"]["messages"]]
        assert entry["status"]["status_str"] == "success", messages
        return entry

    def refusal(self, prompt: dict) -> str:
        """The sentence with which a prompt ends; newer hosts refuse what is in no drop-down before they run it, and
        name the input."""
        try:
            prompt_id = self.queue(prompt)
        except Refused as refused:
            (node,) = json.loads(refused.answer)["node_errors"].values()
            (error,) = node["errors"]
            assert error["type"] == "value_not_in_list"
            return f"Value not in list: {error['extra_info']['input_name']}."
        entry = self.wait(prompt_id)
        (error,) = [data for name, data in entry["status"]["messages"] if name == "execution_error"]
        assert self.get("/queue") == {"queue_running": [], "queue_pending": []}
        told = error["exception_message"].strip()
        assert "\n" not in told and told.endswith(".")
        return told

    def saved(self, entry: dict) -> list[Path]:
        """Files that a run put into the output folder."""
        shown = [item for output in entry["outputs"].values() for item in output.get("images", [])]
        return [self.base / i["type"] / i["subfolder"] / i["filename"] for i in shown if i["type"] == "output"]

    def busy(self) -> bool:
        return any(self.get("/queue").values())

    def log(self) -> str:
        return (self.base / "server.log").read_text(errors="replace")[-4000:]


@pytest.fixture(scope="session")
def comfyui(tmp_path_factory, tiny, tiny_networks):
    folder = find_comfyui()
    if folder is None:
        pytest.skip("no ComfyUI here: set COMFYUI_PATH to a ComfyUI folder to run these tests")
    base = furnished(tmp_path_factory.mktemp("comfyui"), "mamba-portrait", tiny, tiny_networks)
    with running(folder, python_of(folder), base) as server:
        yield server


@pytest.fixture(scope="module")
def other_comfyui(comfyui, tmp_path_factory, tiny, tiny_networks):
    """The second ComfyUI, or the first one again, with the pack in a folder of another name."""
    named = os.environ.get("COMFYUI_OTHER_PATH")
    folder = Path(named) if named else find_comfyui()
    python = python_of(folder, "COMFYUI_OTHER_PYTHON" if named else "COMFYUI_PYTHON")
    base = furnished(tmp_path_factory.mktemp("other"), "portrait-thing", tiny, tiny_networks)
    with running(folder, python, base) as server:
        yield server


def furnished(base: Path, pack: str, tiny, networks: Path) -> Path:
    """A base folder with the pack under a name, the tiny networks, a voice and a video."""
    for name in ("custom_nodes", "input", "output", "temp", "user/default", "models/mamba_portrait"):
        (base / name).mkdir(parents=True)
    (base / "custom_nodes" / pack).symlink_to(PACK, target_is_directory=True)
    (base / "custom_nodes" / "other_pack").symlink_to(Path(__file__).parent / "other_pack", target_is_directory=True)
    (base / "user/default/comfy.settings.json").write_text(json.dumps(SETTINGS))
    shutil.copytree(networks, base / "models" / "mamba_portrait", dirs_exist_ok=True)
    tiny.write_voice(base / "input" / "voice.wav", samples=9999)
    tiny.write_driving(base / "input" / "driver.mp4", frames=7, fps=30)
    return base


@contextmanager
def running(folder: Path, python: str, base: Path) -> Iterator[ComfyUI]:
    """A server that has started; it ends with the context."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "main.py", "--cpu", "--port", str(port), "--listen", "127.0.0.1"]
    command += ["--base-directory", str(base), "--disable-api-nodes"]
    with open(base / "server.log", "w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    server = ComfyUI(port, base, process)
    try:
        _await_start(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _await_start(server: ComfyUI) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.process.poll() is not None:
            pytest.skip(f"ComfyUI does not start here:\n{server.log()}")
        try:
            server.get("/system_stats")
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    pytest.skip(f"ComfyUI did not start within {START_SECONDS} s:\n{server.log()}")


@pytest.fixture(scope="session")
def run_in_comfyui(tmp_path_factory):
    """Run a script by ComfyUI's Python in its folder; the JSON of its last line."""
    folder = find_comfyui()
    if folder is None:
        pytest.skip("no ComfyUI here: set COMFYUI_PATH to a ComfyUI folder to run these tests")
    place = tmp_path_factory.mktemp("modules")
    (place / "mamba_portrait").symlink_to(PACK, target_is_directory=True)

    def run(script: str) -> dict:
        environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{place}"}
        command = [python_of(folder), "-c", script]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert not done.returncode, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
    "--window-size=1900,1000",
]  # fmt: skip


class Browser:
    """A Chromium page, spoken to over the DevTools pipe (JSON messages that end in a zero byte)."""

    def __init__(self, program: str, profile: Path):
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()

        def as_3_and_4() -> None:
            os.dup2(theirs_in, 13)
            os.dup2(theirs_out, 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=as_3_and_4, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._count, self._buffer, self._session = 0, b"", None
        targets = self.send("Target.getTargets")["targetInfos"]
        self._page = next(t["targetId"] for t in targets if t["type"] == "page")
        self.renew()

    def renew(self) -> None:
        """An empty page in place of the last one, which is closed without a question: one that asks before it is left
        may swallow the address after the next."""
        self._session, old = None, self._page
        self._page = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.send("Target.closeTarget", targetId=old)
        self._session = self.send("Target.attachToTarget", targetId=self._page, flatten=True)["sessionId"]
        self.send("Page.enable")

    def send(self, method: str, **params) -> dict:
        """One DevTools command and its answer. Events are passed over, but the page's questions are answered by yes:
        nothing else is answered before."""
        number = self._write(method, params)
        end = time.monotonic() + ANSWER_SECONDS
        while True:
            answer = self._read(end, method)
            if answer.get("method") == "Page.javascriptDialogOpening":
                self._write("Page.handleJavaScriptDialog", {"accept": True})
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _write(self, method: str, params: dict) -> int:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        return self._count

    def _read(self, end: float, method: str) -> dict:
        """The next message; an error where none has come by the time `end`."""
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], max(0, end - time.monotonic()))[0]:
                raise RuntimeError(f"{method}: no answer from the browser within {ANSWER_SECONDS} s")
            chunk = os.read(self._in, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser ended")
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)

    def evaluate(self, script: str):
        """The value of a JavaScript expression; promises are awaited."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(json.dumps(answer["exceptionDetails"], indent=1)[:2000])
        return answer["result"].get("value")

    def until(self, script: str, seconds: float = 120):
        """Wait for an expression to become true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.evaluate(script):
                return value
            time.sleep(0.3)
        raise AssertionError(f"not within {seconds} s: {script}")

    def screenshot(self, path: Path) -> None:
        """What the page looks like, as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None or os.name == "nt":
        pytest.skip("no Chromium here: install one to test ComfyUI's page")
    page = Browser(program, tmp_path_factory.mktemp("profile"))
    yield page
    page.close()


READY = (
    "!!(window.app && app.graph && document.querySelector('canvas') && "
    "LiteGraph.registered_node_types['MambaPortraitLoadRenderer'])"
)


class Page:
    """ComfyUI's page in the browser."""

    def __init__(self, browser: Browser, server: ComfyUI):
        self.server = server
        self.evaluate, self.until, self.send = browser.evaluate, browser.until, browser.send
        self.leave = browser.renew
        self.again()

    def again(self) -> None:
        """Show the page anew."""
        self.leave()
        self.send("Page.navigate", url=self.server.url + "/")
        self.until(READY, 300)

    @property
    def version(self) -> tuple[int, ...]:
        """Of the page, such as (1, 49, 6)."""
        return tuple(map(int, self.evaluate("__COMFYUI_FRONTEND_VERSION__").split(".")))

    def set(self, name: str, value) -> None:
        """Change a setting."""
        self.evaluate(f"app.extensionManager.setting.set({json.dumps(name)}, {json.dumps(value)}).then(() => true)")

    @contextmanager
    def drawn_as(self, kind: str) -> Iterator[None]:
        """The page with its "classic" nodes or with "Nodes 2.0"."""
        if kind == "Nodes 2.0" and self.version < (1, 33):
            pytest.skip("this page has Nodes 2.0 not at all, or as a first trial")
        self.set("Comfy.VueNodes.Enabled", kind == "Nodes 2.0")
        try:
            yield
        finally:
            self.set("Comfy.VueNodes.Enabled", False)

    def open(self, graph: dict) -> None:
        """Load a graph as from a file; nodes of Nodes 2.0 are awaited."""
        types = json.dumps(sorted(node["type"] for node in graph["nodes"]), separators=(",", ":"))
        for _ in range(5):  # a page that has just come up may load the graph of its last visit over this one
            self.evaluate(f"app.loadGraphData({json.dumps(graph)}).then(() => true)")
            time.sleep(0.5)
            if self.evaluate("JSON.stringify(app.graph._nodes.map(node => node.type).sort())") == types:
                break
        if self.evaluate("!!LiteGraph.vueNodesMode"):
            self.until("document.querySelectorAll('[data-node-id]').length === app.canvas.graph._nodes.length")

    def missing(self) -> list[str]:
        """Types of the red nodes, inside subgraphs too."""
        return self.evaluate(
            "[app.graph, ...(app.graph.subgraphs?.values() ?? [])].flatMap(graph => graph._nodes).filter(node => "
            "node.has_errors || !(node.subgraph || LiteGraph.registered_node_types[node.type])).map(node => node.type)"
        )

    def prompt(self) -> dict:
        """What Run would send."""
        return json.loads(self.evaluate("app.graphToPrompt().then(p => JSON.stringify(p.output))"))

    def run(self) -> dict:
        """Press Run, and wait for the end."""
        known = set(self.server.get("/history"))
        self.evaluate("[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'Run').click()")
        end = time.monotonic() + 60
        while not (self.server.busy() or set(self.server.get("/history")) - known) and time.monotonic() < end:
            time.sleep(0.2)
        self.leave()  # a page drawn without a GPU takes the time that the run needs
        entry = self.server.wait_for_another(known)
        messages = [told.get("exception_message", name) for name, told in entry["status"]["messages"]]
        assert entry["status"]["status_str"] == "success", messages
        return entry


@pytest.fixture(scope="module")
def page(comfyui, browser):
    return Page(browser, comfyui)


@pytest.fixture
def open_page(browser):
    """A function that shows the page of a server."""
    return lambda server: Page(browser, server)
