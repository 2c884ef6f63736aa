# The C code that runs on this host (common/ and desktop/): its tests under sanitizers, and how much of it they reach.
# Needs gcc, and a PYTHON that has the harness and its test tools installed (a path is taken from here). BOARD does not matter.
#   make -C firmware host-tests PYTHON=../.venv/bin/python
#   make -C firmware host-tests     the tests, with everything built with -fsanitize=address,undefined
#   make -C firmware coverage       the tests, with everything built for gcov; a table by file, fails below COVERAGE percent
PYTHON ?= python3
COVERAGE ?= 90
HOST_OUT := $(CURDIR)/build/host
# The tests are run from the folder above.
HOST_PYTHON = $(if $(findstring /,$(PYTHON)),$(abspath $(PYTHON)),$(PYTHON))

# All but what runs on a virtual chip (its libraries do not load beside a sanitizer) or looks at committed files. The libraries take LAN_HOST_CFLAGS, the desktop's image HOST_CC.
HOST_TESTS := -m pytest -q -n 0 -p no:cacheprovider --basetemp=$(HOST_OUT) \
  --ignore-glob='*_on_c*.py' --ignore-glob='*_image.py' --ignore-glob='*_card.py' --ignore-glob='*kernel*.py' -k 'not chip' tests/unit/firmware
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g
COUNT := --coverage -fprofile-update=atomic -O0 -g

.PHONY: host-tests coverage host-tools

host-tools:
	@command -v gcc >/dev/null || { echo "firmware: gcc not found: apt install gcc" >&2; exit 1; }
	@$(HOST_PYTHON) -c 'import hypothesis, numpy, pytest, pytest_lan_hil, xdist' || { \
	  echo "firmware: $(PYTHON) has not all that the tests need (see above): name the one that has, such as" \
	    "make host-tests PYTHON=../.venv/bin/python, or pip install -e '.[dev]' in the folder above" >&2; exit 1; }

# The interpreter is not built with the sanitizer, so its run-time library must come first. Python frees nothing at its
# end: leaks are not looked for (and the firmware has no malloc).
host-tests: host-tools
	@mkdir -p $(dir $(HOST_OUT))
	cd .. && LAN_HOST_CFLAGS="$(SANITIZE)" HOST_CC="gcc $(SANITIZE)" ASAN_OPTIONS=detect_leaks=0 \
	  LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" $(HOST_PYTHON) $(HOST_TESTS)

coverage: host-tools
	@mkdir -p $(dir $(HOST_OUT))
	cd .. && LAN_HOST_CFLAGS="$(COUNT)" HOST_CC="gcc $(COUNT)" $(HOST_PYTHON) $(HOST_TESTS)
	$(HOST_PYTHON) tests/coverage.py $(HOST_OUT) --at-least $(COVERAGE)
