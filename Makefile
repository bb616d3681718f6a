# `make demo` runs the main job on sample_videos/, `make test` passes the tests; both install first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tested versions, with the CPU build of torch. For a GPU: make CONSTRAINTS=constraints/tested.txt EXTRAS=dev,gpu demo
CONSTRAINTS ?= constraints/cpu.txt
EXTRAS ?= dev
WORKSPACE ?= workspace
INSTALLED := $(VENV)/installed
# First use compiles numba code of librosa, about 20 s; kept for the next time.
export NUMBA_CACHE_DIR := $(CURDIR)/$(VENV)/numba

.PHONY: demo serve test test-fast check format samples bench-acoustic bench-alignment bench-facial bench-models bench-operations bench-train bench-resume bench-cost chaos month clean

demo: $(INSTALLED)
	$(BIN)/python -m flows.demo --workspace $(WORKSPACE)/demo

# make serve VIDEOS=/some/folder CRON="0 3 * * *" CONFIG=configs/demo.yaml
# CRON is for scheduled-retrain; EXTRACT_CRON and MAINTAIN_CRON for the other two. LIMIT=3 runs at a time.
# WATCH=1 starts extract-new-videos as soon as videos have arrived.
VIDEOS ?= sample_videos
serve: $(INSTALLED)
	$(BIN)/python -m flows.serve --videos "$(VIDEOS)" --workspace $(WORKSPACE) \
		$(if $(CONFIG),--config "$(CONFIG)") $(if $(LIMIT),--limit $(LIMIT)) $(if $(PORT),--port $(PORT)) \
		$(if $(CRON),--schedule "$(CRON)") $(if $(EXTRACT_CRON),--schedule "extract-new-videos=$(EXTRACT_CRON)") \
		$(if $(MAINTAIN_CRON),--schedule "maintain-store=$(MAINTAIN_CRON)") $(if $(WATCH),--watch)

# Whole files of tests go to as many processes as there are cores, at most 4, of one thread each.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --durations 25

test-fast: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slow and not flow"

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Needs espeak-ng.
samples: $(INSTALLED)
	$(BIN)/python sample_videos/make_samples.py

# Accuracy needs WINNOW_REFERENCE, a folder of reference output; cost does not.
bench-acoustic: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.acoustic

# Talks need WINNOW_REFERENCE; synthesised speech does not.
bench-alignment: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.alignment

# Agreement, coverage and odd media need WINNOW_REFERENCE. make bench-facial ONLY="speed memory"
bench-facial: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.facial $(if $(ONLY),--only $(ONLY))

# Second runs, planning for 10,000 clips, runners, Prefect's share. make bench-operations ONLY="second planning"
bench-operations: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.operations $(addprefix --only ,$(ONLY))

# Needs WINNOW_REFERENCE. make bench-models ONLY=text RUNS=workspace/bench
bench-models: $(INSTALLED)
	$(BIN)/python -m benchmarks.real_models $(if $(ONLY),--only $(ONLY)) $(if $(RUNS),--runs $(RUNS))

# A training killed ten times against one left alone, bit for bit. make bench-resume MODEL=misa
bench-resume: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.killed_training $(if $(MODEL),--model $(MODEL))

# Cost of many hours of video. make bench-cost VIDEOS=/some/folder CORE_HOUR=0.05 GB_MONTH=0.02
bench-cost: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.operating_cost --videos "$(VIDEOS)" \
		$(if $(CORE_HOUR),--core-hour $(CORE_HOUR)) $(if $(GB_MONTH),--gigabyte-month $(GB_MONTH))

# Kills, full disks, hanging clips and a server that dies, on purpose. make chaos KILLS=20
chaos: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.chaos $(if $(KILLS),--kills $(KILLS))

# Thirty nights of retraining and maintenance in fast time.
month: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.month

# make bench-train ONLY="loop mmsa" ARGS="--quick --mmsa /some/venv/bin/python --output numbers.json"
bench-train: $(INSTALLED)
	$(BIN)/python -m benchmarks.training $(if $(ONLY),--only $(ONLY)) $(ARGS)

clean:
	rm -rf $(VENV) $(WORKSPACE)

$(INSTALLED): pyproject.toml $(wildcard constraints/*.txt)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || \
		{ echo "$(PYTHON) is not Python 3.11 or 3.12; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e ".[$(EXTRAS)]"
	@$(BIN)/python -c 'import cv2' 2>/dev/null || \
		{ $(BIN)/python -c 'import cv2' 2>&1 | tail -n 1; \
		  echo "OpenCV lacks a system library; on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0"; exit 1; }
	touch $@
