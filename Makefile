# demo, test, bench, lint. Each makes its own .venv from a bare Python 3.10 or newer and works offline from then on.

PYTHON ?= $(firstword $(foreach name,python3.12 python3.11 python3.13 python3.10 python3,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO ?= output/demo.mp4

.PHONY: demo test bench lint clean

demo: $(VENV)/.ready
	$(BIN)/python -m mamba_portrait animate assets/portrait.jpg assets/greeting.flac -o $(DEMO)

test: $(VENV)/.ready
	$(BIN)/python -m pytest -q

bench: $(VENV)/.ready
	$(BIN)/python -m mamba_portrait bench --json output/bench.json

lint: $(VENV)/.ready
	$(BIN)/ruff check .

clean:
	rm -rf $(VENV) build *.egg-info

# The large wheels first and for themselves, so that a change of the package's own needs does not touch them.
$(VENV)/.torch: requirements-torch.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv"; exit 1; }
	$(PIP) install --quiet --requirement requirements-torch.txt
	@touch $@

$(VENV)/.ready: pyproject.toml $(VENV)/.torch
	$(PIP) install --quiet --editable '.[test,corpus]'
	@touch $@
