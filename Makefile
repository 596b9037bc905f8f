# SPDX-License-Identifier: Apache-2.0
# make            builds ./wperf
# make check      sets up what is missing, builds, runs every test
# make demo       the whole path on an example server, under load
# make asan       every test again under AddressSanitizer and UndefinedBehaviorSanitizer
# make fuzz       longer fuzzing: make fuzz SECONDS=600
# make bench      side by side with perf
# make CROSS=aarch64-linux-gnu-   compiles for another processor, and builds the unit tests of base, recording
#                 and unwinder for it (make CROSS=... cross-check runs them under qemu-user)
# make check-includes   folders include only what docs/ARCHITECTURE.md allows
# make install PREFIX=/usr/local DESTDIR=
# V=1 shows the commands, DEV=1 makes warnings errors, O=DIR puts objects elsewhere, SAN=address,undefined.

PREFIX ?= /usr/local
O ?= build
CC ?= gcc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
WPERF ?= wperf

# Everything is compiled but what reads registers for markers, which is for x86-64 only; and those folders' tests
# are linked, with libraries of that architecture unpacked below O.
ifneq ($(CROSS),)
CROSS_TRIPLET := $(CROSS:-=)
CROSS_ARCH := $(firstword $(subst -, ,$(CROSS)))
O := build/$(CROSS_ARCH)
CC := $(CROSS)gcc
SYSROOT := $(O)/sysroot
CROSS_LIBS := $(SYSROOT)/usr/lib/$(CROSS_TRIPLET):$(SYSROOT)/lib/$(CROSS_TRIPLET)
CROSS_SUITES := $(shell sed -n 's/^\tX(\([a-z_0-9]*\)).*/\1/p' tests/suites.h)
PKG_CFLAGS :=
endif

VERSION := 0.1.0
PKGS := libdw libelf libbpf jansson libpcre2-8
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -Wall -Wextra -Wmissing-prototypes -Wshadow -D_GNU_SOURCE \
	-DWPERF_VERSION='"$(VERSION)"' -DBPF_DIR='"$(O)/collector"' -I. -fno-omit-frame-pointer $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(LDFLAGS)
# Of libstdc++ the demangler only: with the library whole each start takes half as long again. libpfm4 is loaded by
# collector/pfm.c.
LIBS = $(PKG_LIBS) -lZydis -ldeflate -liberty -l:libstdc++.a -lz -lm -lpthread
ifneq ($(DEV),)
ALL_CFLAGS += -Werror
endif
ifneq ($(SAN),)
ALL_CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=undefined
ALL_LDFLAGS += -fsanitize=$(SAN)
endif
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

# Evaluated once, when the first object needs them: `make check` may install pkg-config first.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell $$(PKG_CONFIG) --cflags $$(PKGS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell $$(PKG_CONFIG) --libs $$(PKGS)))$(PKG_LIBS)

# Where Debian keeps asm/: clang -target bpf does not look there by itself.
MULTIARCH = $(eval MULTIARCH := $$(shell $$(CC) -dumpmachine))$(MULTIARCH)

FOLDERS := base recording unwinder collector symbolizer report
SRCS := $(foreach d,$(FOLDERS),$(filter-out %.bpf.c,$(wildcard $(d)/*.c)))
BPF_SRCS := $(wildcard collector/*.bpf.c)
BPF_OBJS := $(BPF_SRCS:%.bpf.c=$(O)/%.bpf.o)
OBJS := $(SRCS:%.c=$(O)/%.o)
TEST_SRCS := $(wildcard tests/*.c)
TEST_OBJS := $(TEST_SRCS:%.c=$(O)/%.o)

ifneq ($(CROSS),)
.DEFAULT_GOAL := cross
else
.DEFAULT_GOAL := all
endif

.PHONY: all check demo asan fuzz bench check-includes check-docs install clean packages golden
.DELETE_ON_ERROR:

all: $(WPERF)

# Packages. To build, dpkg is asked what is missing, and asked again only when it has done something
# since; the goals that test and show install what they lack. PACKAGES=skip asks nothing.
NEEDS := $(if $(filter check check-suites asan fuzz fuzzers golden bench packages,$(MAKECMDGOALS)),check) \
	$(if $(filter demo,$(MAKECMDGOALS)),demo)
ifeq ($(CROSS),)
NEEDED := $(NEEDS:%=$(O)/.packages-%)
endif
ifeq ($(CROSS),)
READY := $(O)/.packages-build
endif
$(O)/.packages-%: tests/packages.sh $(wildcard /var/lib/dpkg/status)
	$(Q)tests/packages.sh $(if $(filter build,$*),--ask) $*
	$(Q)mkdir -p $(@D) && touch $@
$(READY): | $(NEEDED)
packages asan: | $(NEEDED)

$(WPERF): $(O)/wperf.o $(OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(O)/check: $(TEST_OBJS) $(OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $$($(PKG_CONFIG) --libs check)

# What else an object is made of: others than last time make all again.
FLAGS := $(CC) $(CFLAGS) $(LDFLAGS) $(DEV) $(SAN) $(VERSION)
.PHONY: FORCE
$(O)/.flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(FLAGS)' | cmp -s - $@ || printf '%s\n' '$(FLAGS)' >$@

$(O)/%.o: %.c $(O)/.flags | $(READY)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

ifneq ($(CROSS),)
.PHONY: cross cross-check
CROSS_OBJS := $(filter-out %/call_core.o %/call_cost.o %/call_python.o %/follow.o %/marker_probe.o %/marker_socket.o %/operand.o \
	%/python_code.o %/python_cost.o %/python_places.o,$(OBJS))
cross: $(CROSS_OBJS) $(O)/cross-check
cross-check: cross
	$(Q)qemu-$(CROSS_ARCH)-static -L /usr/$(CROSS_TRIPLET) -E LD_LIBRARY_PATH=$(CROSS_LIBS) $(O)/cross-check
$(SYSROOT)/.done:
	$(Q)tests/cross/packages.sh $(SYSROOT) $(CROSS_ARCH:aarch64=arm64)
$(O)/cross-check: $(O)/tests/cross/main.o $(CROSS_SUITES:%=$(O)/tests/check_%.o) $(O)/tests/harness.o $(O)/tests/sketch.o \
		$(filter $(O)/base/% $(O)/recording/% $(O)/unwinder/% $(O)/symbolizer/ranges.o,$(OBJS)) | $(SYSROOT)/.done
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -o $@ $^ $(addprefix -L,$(subst :, ,$(CROSS_LIBS))) -Wl,-rpath-link,$(CROSS_LIBS) \
		-lcheck_pic -lsubunit -ldw -lelf -liberty -lm -lrt -lpthread -l:libstdc++.so.6
endif

# The BPF objects, and the script of flame graphs, are embedded by an .incbin in the .c that has to do with them.
$(O)/%.bpf.o: %.bpf.c | $(READY)
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -target bpf -mcpu=v3 -O2 -g -Wall -I. -I/usr/include/$(MULTIARCH) \
		-MMD -MP -c -o $@ $<
$(O)/collector/follow.o: $(O)/collector/follow.bpf.o
$(O)/collector/call_core.o: $(O)/collector/calls.bpf.o
$(O)/collector/call_python.o: $(O)/collector/python.bpf.o
$(O)/collector/marker_probe.o: $(O)/collector/probe.bpf.o
$(O)/collector/marker_socket.o: $(O)/collector/socket_calls.bpf.o $(O)/collector/socket_traced.bpf.o
$(O)/tests/check_bpf_object.o: $(BPF_OBJS)
$(O)/report/render_flamegraph.o $(O)/fuzz/obj/report/render_flamegraph.o: report/flamegraph.js

-include $(OBJS:.o=.d) $(TEST_OBJS:.o=.d) $(BPF_OBJS:.o=.d) $(O)/wperf.d $(O)/tests/cross/main.d \
	$(patsubst %.c,$(O)/%.d,$(wildcard bench/*.c))

# The example servers stand for programs of other people: their own flags, nothing of wperf in them.
# A handler that jumps to what it calls last would be missing in the stacks that tests know in advance.
EXAMPLES := $(O)/examples/server $(O)/examples/server_usdt
EXAMPLE_CFLAGS = -std=gnu11 -O2 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls \
	-Wall -Wextra -Wshadow -Wmissing-prototypes -D_GNU_SOURCE -I.
.PHONY: examples
examples: $(EXAMPLES)
$(O)/examples/server_usdt: EXAMPLE_CFLAGS += -DUSDT
$(EXAMPLES): $(wildcard examples/*.c examples/*.h) | $(READY)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXAMPLE_CFLAGS) -o $@ $(filter %.c,$^) -lpthread

# Every test: the suites of tests/main.c, and each fuzzer for a moment. The suites' summary comes last.
# Half of the compiler's time is the tests', and they hardly run long.
$(O)/tests/%.o: ALL_CFLAGS += -O0 -DBUILD_DIR='"$(O)"'
# It reads what is said of its own functions' parameters.
$(O)/tests/check_locate.o: ALL_CFLAGS += -g2
SUITES :=
.PHONY: check-suites fuzzers seeds
check: all $(O)/check examples fuzzers seeds check-includes check-docs
	$(Q)tests/fuzz/run.sh $(words $(FUZZERS)) $(O)/fuzz $(FUZZERS)
	$(Q)WPERF=$(WPERF) $(O)/check $(SUITES)
check-suites: all $(O)/check examples
	$(Q)WPERF=$(WPERF) $(O)/check $(SUITES)

# Half the compiler's time goes without its last optimizations, and lines are all that a report shows.
ASAN_CFLAGS := -O1 -g1
# Leaks count too. The tests wait longer: everything is some three times slower. The scripts that are left out take
# longest, and what they run of wperf others run, too.
asan:
	$(Q)$(MAKE) --no-print-directory O=$(O)/asan WPERF=$(O)/asan/wperf SAN=address,undefined CFLAGS='$(ASAN_CFLAGS)' examples $(O)/asan/wperf $(O)/asan/check
	$(Q)ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 CK_TIMEOUT_MULTIPLIER=5 \
		E2E_WITHOUT='calls stacks perf_agrees real_http real_databases calls_many calls_callgrind calls_probes flask_calls handed files pools' \
		$(MAKE) --no-print-directory O=$(O)/asan WPERF=$(O)/asan/wperf SAN=address,undefined CFLAGS='$(ASAN_CFLAGS)' check-suites

golden: all $(O)/check examples
	$(Q)WPERF_GOLDEN=1 WPERF=$(WPERF) $(O)/check $(SUITES)

# tests/fuzz/fuzz_NAME.c: each linked with what it needs of everything, built by clang with sanitizers.
SECONDS := 600
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
# Half of all is in none of them: what runs, samples, sums up and draws. Who fuzzes one of these takes it out here.
NOT_FUZZED := $(patsubst %,collector/%.c,attach bpf_object call_core call_cost call_link call_midst call_native% call_python \
	call_share cmd_% counting cpus datagrams drain event follow hidden_returns keep kernel_% mapped_file marker% merge net_tables perf_map pfm \
	pace probed_places progress python_cost recorder sampler snapshot socket_way stack_pages stack_walker) \
	$(patsubst %,report/%.c,attribute cmd_% counted depth durations dying event_weight feed feed_calls feeder gather interrupt \
	json_text list list_write live mark_requests options order output profile regex render% report resolve selection \
	shapes stack_dumps stacks sum table view weights)
FUZZED := $(filter-out $(NOT_FUZZED),$(SRCS))
FUZZ_OBJS := $(patsubst %.c,$(O)/fuzz/obj/%.o,$(FUZZED) tests/exchange.c)
FUZZ_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined
fuzzers: $(FUZZERS)
seeds: $(O)/check
	$(Q)mkdir -p $(O)/fuzz/seeds
	$(Q)$(O)/check --seeds $(O)/fuzz/seeds
fuzz: fuzzers seeds
	$(Q)tests/fuzz/run.sh $(SECONDS) $(O)/fuzz $(FUZZERS)
$(O)/fuzz/obj/%.o: %.c | $(READY)
	$(call say,FUZZCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(filter-out -O2 -fsanitize=%,$(ALL_CFLAGS)) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link \
		-MMD -MP -c -o $@ $<
$(O)/fuzz/wperf.a: $(FUZZ_OBJS) Makefile
	$(Q)rm -f $@ && ar rcs $@ $(FUZZ_OBJS)
$(FUZZERS): $(O)/fuzz/%: $(O)/fuzz/obj/tests/fuzz/%.o $(O)/fuzz/wperf.a
	$(call say,LD,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)
.PRECIOUS: $(O)/fuzz/obj/%.o
-include $(FUZZ_OBJS:.o=.d) $(FUZZERS:$(O)/fuzz/%=$(O)/fuzz/obj/tests/fuzz/%.d)

# Side by side with perf, in one run: RUNS=5 CASES="lost own_cpu report".
CASES :=
$(O)/bench/spin: bench/spin.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -fno-omit-frame-pointer -o $@ $< -lpthread
$(O)/bench/make_recording: $(O)/bench/make_recording.o $(O)/tests/recording_builder.o $(OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(O)/bench/unwind_dumps: $(O)/bench/unwind_dumps.o $(OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(O)/bench/count_calls: $(O)/bench/count_calls.o $(OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
bench: all examples $(O)/bench/count_calls $(O)/bench/spin $(O)/bench/make_recording $(O)/bench/unwind_dumps
	$(Q)WPERF=$(WPERF) O=$(O) bench/bench.py $(CASES)

demo: all examples
	$(Q)O=$(O) WPERF=$(WPERF) examples/demo.sh

check-includes:
	$(Q)tests/check_includes.sh

# Options and their values: what --help says, what the man pages say and what the shell completes.
check-docs: all
	$(Q)WPERF=$(WPERF) tests/check_docs.sh

install: all
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(Q)install -m 755 $(WPERF) $(DESTDIR)$(PREFIX)/bin/wperf
	$(Q)install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	$(Q)install -m 644 docs/completion/wperf.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/wperf

clean:
	rm -rf $(O) $(WPERF)
