# SPDX-License-Identifier: Apache-2.0
# make            builds ./wperf
# make check      sets up what is missing, builds, runs every test
# make demo       the whole path on an example server, under load
# make asan       every test again under AddressSanitizer and UndefinedBehaviorSanitizer
# make fuzz       longer fuzzing: make fuzz SECONDS=600
# make bench      side by side with perf
# make check-includes   folders include only what docs/ARCHITECTURE.md allows
# make install PREFIX=/usr/local DESTDIR=
# V=1 shows the commands, DEV=1 makes warnings errors, O=DIR puts objects elsewhere, SAN=address,undefined.

PREFIX ?= /usr/local
O ?= build
CC ?= gcc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
WPERF ?= wperf

VERSION := 0.1.0
PKGS := libdw libelf libbpf jansson libpcre2-8
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -Wall -Wextra -Wmissing-prototypes -Wshadow -D_GNU_SOURCE \
	-DWPERF_VERSION='"$(VERSION)"' -DBPF_DIR='"$(O)/collector"' -I. -fno-omit-frame-pointer $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(LDFLAGS)
LIBS = $(PKG_LIBS) -lpfm -lstdc++ -lz -lm
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

.PHONY: all check demo asan fuzz bench check-includes install clean packages golden
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

all: $(WPERF)

$(WPERF): $(O)/wperf.o $(OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(O)/check: $(TEST_OBJS) $(OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $$($(PKG_CONFIG) --libs check)

$(O)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The BPF objects are embedded by an .incbin in the .c that loads them.
$(O)/%.bpf.o: %.bpf.c
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -target bpf -mcpu=v3 -O2 -g -Wall -I. -I/usr/include/$(MULTIARCH) \
		-MMD -MP -c -o $@ $<
$(O)/collector/follow.o: $(O)/collector/follow.bpf.o
$(O)/collector/marker_probe.o: $(O)/collector/probe.bpf.o

-include $(OBJS:.o=.d) $(TEST_OBJS:.o=.d) $(BPF_OBJS:.o=.d) $(O)/wperf.d

# The example servers stand for programs of other people: their own flags, nothing of wperf in them.
EXAMPLES := $(O)/examples/server $(O)/examples/server_usdt
EXAMPLE_CFLAGS = -std=gnu11 -O2 -g -fno-omit-frame-pointer -Wall -Wextra -Wshadow \
	-Wmissing-prototypes -D_GNU_SOURCE -I.
.PHONY: examples
examples: $(EXAMPLES)
$(O)/examples/server_usdt: EXAMPLE_CFLAGS += -DUSDT
$(EXAMPLES): examples/server.c examples/http.c examples/http.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXAMPLE_CFLAGS) -o $@ $(filter %.c,$^) -lpthread

clean:
	rm -rf $(O) $(WPERF)
