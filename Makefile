# make demo   shows the bug and the repair in a guest
# make test   runs every tier: lint, unit, store, rpm, vm
# Both need root on Debian 12 and install what they need.

PYTEST = build/venv/system/bin/python -m pytest -q

.PHONY: all demo transcript test lint unit store rpm test-rpm guests vm bench needs clean

all: test

needs:
	tests/needs

demo: needs rpm
	build/venv/system/bin/python -m tests.vm.demo

transcript: needs rpm  # the demo's output into README
	build/venv/system/bin/python -m tests.vm.demo --write

test: needs
	$(MAKE) -j 2 lint unit  # each on a processor of its own
	$(MAKE) store
	$(MAKE) -j 2 test-rpm guests
	$(MAKE) vm

lint: needs
	tests/lint

unit: needs
	tests/run-unit
	$(PYTEST) tests/test_adding.py  # takes lint's tools, so the system's Python alone

store: needs
	$(PYTEST) -n 2 tests/store

rpm: needs
	spec/build-rpm

test-rpm: needs
	$(PYTEST) tests/rpm

guests: needs
	build/venv/system/bin/python -m tests.vm

vm: needs
	$(PYTEST) -vv -n 2 --dist loadgroup --durations=30 tests/vm  # two guests at a time

bench: needs
	build/venv/system/bin/python -m tests.bench

clean:
	rm -rf build
