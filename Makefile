# Every target sets up what it needs by itself; see tools/set-up.

PYTHON := .venv/bin/python
PYTEST := .venv/bin/pytest
TESTS := tests
ARGS :=
KEEP :=
SECONDS := 600
TARGETS :=

.DEFAULT_GOAL := help
.PHONY: help demo test faults soak overload fuzz check rootfs bench compare interop protos release

help:
	@echo "make demo    the whole bridge in one process: sends traces through it (KEEP=1: stays)"
	@echo "make test    all tests, with a real Apache Kafka (TESTS=path ARGS='-k name')"
	@echo "make faults  all fault scenarios on a cluster of three nodes, with a table"
	@echo "make soak    20 minutes at half load: memory, tasks and files (ARGS='--minutes 2 --settle 1')"
	@echo "make overload 5 minutes of ten times too much in 512 MiB (ARGS='--seconds 60')"
	@echo "make fuzz    every parser with atheris, 10 minutes each, with a table (TARGETS=split SECONDS=60)"
	@echo "make check   format, lint, types, architecture, documentation, deploy/"
	@echo "make rootfs  the image without a container engine: built, read-only, 128 MiB, demo and SIGTERM (root)"
	@echo "make bench   CPU per span of the ingest leg, on this machine (ARGS='--repeats 3')"
	@echo "make compare the same beside a Collector and rotel, an hour (ARGS=--quick: ten minutes)"
	@echo "make interop against a Collector and h2spec, built from Go modules, and the status page in Chromium"
	@echo "make protos  the generated protobuf modules anew"
	@echo "make release wheel, sdist, pinned requirements, SBOM and sums of a commit, tried out"

.venv/.set-up: pyproject.toml uv.lock tools/set-up
	@tools/set-up python

demo: .venv/.set-up
	@.venv/bin/otlp-bridge demo $(if $(KEEP),--keep) $(ARGS)

test: .venv/.set-up
	@tools/set-up kafka
	$(PYTEST) -n 2 --dist loadfile --ignore=tests/faults $(TESTS) $(ARGS)
	$(if $(filter tests,$(TESTS)),$(PYTEST) tests/faults)

faults: .venv/.set-up
	@tools/set-up kafka
	$(PYTEST) tests/faults --faults $(ARGS)

soak: .venv/.set-up
	@tools/set-up kafka
	PYTHONPATH=. $(PYTHON) perf/soak.py $(or $(ARGS),--save soak)

overload: .venv/.set-up
	@tools/set-up kafka
	PYTHONPATH=. $(PYTHON) perf/overload.py $(or $(ARGS),--save overload)

fuzz: .venv/.set-up
	@tools/set-up fuzz
	$(PYTHON) tests/fuzz/all.py $(TARGETS) --seconds $(SECONDS) $(ARGS)

check: .venv/.set-up
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(PYTHON) tools/check_docs.py
	$(PYTEST) -q tests/test_architecture.py
	deploy/check

rootfs:
	@tools/set-up rootfs
	deploy/rootfs-test $(ARGS)

bench: .venv/.set-up
	@tools/set-up kafka
	PYTHONPATH=. $(PYTHON) perf/ingest.py --subjects bridge $(ARGS)

compare: .venv/.set-up
	@tools/set-up kafka
	perf/compare $(ARGS)

interop: .venv/.set-up
	@tools/set-up kafka
	@tools/set-up browser
	perf/peers/build-collector
	perf/peers/build-h2spec
	$(PYTEST) tests/interop --interop $(ARGS)

protos: .venv/.set-up
	protos/generate.sh

release: .venv/.set-up
	@tools/release
