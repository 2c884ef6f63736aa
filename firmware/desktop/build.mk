# The desktop: the sources of the chips as a process of this host (Linux), with its own compiler and C library.
#   make -C firmware BOARD=desktop      build/desktop/lan
HOST_CC ?= cc
PYTHON ?= python3
OUT ?= build/desktop

SOURCES := $(sort $(wildcard common/*.c)) $(sort $(wildcard desktop/*.c))
OBJECTS := $(SOURCES:%.c=$(OUT)/%.o)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wconversion -Wdouble-promotion -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla
# Arithmetic as on the chips: no fused multiply-add; a loop may become memcpy, which is the C library's here.
# -iquote: the C library has a features.h, too. A fixed address lets a fault's pc be looked up in the file.
CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g -fno-common -fno-strict-aliasing -ffp-contract=off -fno-math-errno -fno-pie \
          -pthread -ffile-prefix-map=$(CURDIR)=lan $(WARNINGS) -iquote common -iquote desktop
LDFLAGS := -no-pie -pthread -Wl,--build-id=none -Wl,-z,noexecstack

.PHONY: all clean compiler
all: $(OUT)/lan

compiler:
	@command -v $(HOST_CC) >/dev/null || \
	  { echo "firmware: no C compiler for this machine ($(HOST_CC) not found): apt install gcc" >&2; exit 1; }

$(OUT)/%.o: %.c $(MAKEFILE_LIST) | compiler
	@mkdir -p $(@D)
	$(HOST_CC) $(CFLAGS) -MMD -MP -c $< -o $@

# The process has a main() of its own.
$(OUT)/common/app.o: CFLAGS += -Dmain=lan_app

$(OUT)/lan: $(OBJECTS) $(wildcard Makefile common/* desktop/* tools/*.py)
	$(HOST_CC) $(LDFLAGS) $(OBJECTS) -o $@.tmp
	$(PYTHON) tools/stamp.py $@.tmp --root . --parts Makefile,common,desktop,tools
	mv $@.tmp $@

clean:
	rm -rf $(OUT)

-include $(OBJECTS:.o=.d)
