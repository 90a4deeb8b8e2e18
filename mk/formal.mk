# Proofs by SMT. The solvers are pinned wheels in a virtual environment under target/.

FORMAL_VENV := target/formal/venv
FORMAL_PINS := harness/src/smt/requirements.txt

.PHONY: formal formal-setup
formal: build formal-setup ## prove the instructions equal to the specification (target/formal/report.json)
	$(LOCKSTEP) formal

formal-setup: $(FORMAL_VENV)/pins ## install the pinned SMT solvers under target/

# The stamp is a copy of the pins: other pins make other solvers.
$(FORMAL_VENV)/pins: $(FORMAL_PINS)
	python3 -m venv --clear $(FORMAL_VENV)
	$(FORMAL_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps -r $(FORMAL_PINS)
	cp $(FORMAL_PINS) $@
