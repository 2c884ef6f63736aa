# The C code that runs on this host (common/ and desktop/): its tests under sanitizers, and how much of it they reach.
# Needs gcc, and a PYTHON that has the harness and its test tools installed.
#   make -C firmware host-tests     the tests, with everything built with -fsanitize=address,undefined
#   make -C firmware coverage       the tests, with everything built for gcov; a table by file, fails below COVERAGE percent
PYTHON ?= python3
COVERAGE ?= 90
HOST_OUT := $(CURDIR)/build/host

# All but what runs on a virtual chip (its libraries do not load beside a sanitizer) or looks at committed files. The libraries take LAN_HOST_CFLAGS, the desktop's image HOST_CC.
HOST_TESTS := -m pytest -q -n 0 -p no:cacheprovider --basetemp=$(HOST_OUT) \
  --ignore-glob='*_on_c*.py' --ignore-glob='*_image.py' --ignore-glob='*_card.py' --ignore-glob='*kernel*.py' -k 'not chip' tests/unit/firmware
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g
COUNT := --coverage -fprofile-update=atomic -O0 -g

.PHONY: host-tests coverage

# The interpreter is not built with the sanitizer, so its run-time library must come first. Python frees nothing at its
# end: leaks are not looked for (and the firmware has no malloc).
host-tests:
	@mkdir -p $(dir $(HOST_OUT))
	cd .. && LAN_HOST_CFLAGS="$(SANITIZE)" HOST_CC="gcc $(SANITIZE)" ASAN_OPTIONS=detect_leaks=0 \
	  LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" $(PYTHON) $(HOST_TESTS)

coverage:
	@mkdir -p $(dir $(HOST_OUT))
	cd .. && LAN_HOST_CFLAGS="$(COUNT)" HOST_CC="gcc $(COUNT)" $(PYTHON) $(HOST_TESTS)
	$(PYTHON) tests/coverage.py $(HOST_OUT) --at-least $(COVERAGE)
