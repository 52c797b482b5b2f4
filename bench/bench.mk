# SPDX-License-Identifier: MIT
# Builds the benchmarks into $(OUT)/bench. Called by bench/run.sh from the top folder, which says which peers
# are there: HAS_GLIB, HAS_BOOST, HAS_SIGC (1 or empty). The libraries in $(OUT) must have been built before.

OUT ?= build/release
CC ?= cc
CXX ?= c++
PKG_CONFIG ?= pkg-config
BIN := $(OUT)/bench

BENCH_CFLAGS := -O2 -g -Wall -Wextra -I. -MMD -MP
C_FLAGS := -std=gnu11 -D_GNU_SOURCE -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla
CXX_FLAGS := -std=c++17 -Wshadow
LIBS := $(shell $(PKG_CONFIG) --libs libevent_core libcjson) -lpthread -lm

HARNESS := harness.o report.o cpu.o process.o counters.o
BRIDGE := $(HARNESS) stepbus_bridge.o peer_bare.o
REGISTRY := $(HARNESS) registry_main.o keys.o stepbus_registry.o stepbus_flow.o peer_uthash.o \
	peer_unordered.o
STATIC := $(BRIDGE) bridge_main.o peer_script.o
SHARED := $(BRIDGE) bridge_main_shared.o
BRIDGE_LIBS :=
REGISTRY_LIBS :=
PEERS :=

ifneq ($(HAS_GLIB),)
PEERS += -DBENCH_HAS_GLIB
GLIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags gobject-2.0)
STATIC += peer_gsignal.o
REGISTRY += peer_ghash.o
BRIDGE_LIBS += $(shell $(PKG_CONFIG) --libs gobject-2.0)
REGISTRY_LIBS += $(shell $(PKG_CONFIG) --libs glib-2.0)
endif
ifneq ($(HAS_BOOST),)
PEERS += -DBENCH_HAS_BOOST
STATIC += peer_signals2.o
endif
ifneq ($(HAS_SIGC),)
PEERS += -DBENCH_HAS_SIGC
SIGC_CFLAGS := $(shell $(PKG_CONFIG) --cflags sigc++-2.0)
STATIC += peer_sigc.o
BRIDGE_LIBS += $(shell $(PKG_CONFIG) --libs sigc++-2.0)
endif

.PHONY: bridge registry
bridge: $(BIN)/bench-bridge $(BIN)/bench-bridge-shared
registry: $(BIN)/bench-registry

$(BIN)/bench-bridge: $(STATIC:%=$(BIN)/%) $(OUT)/libstepbus.a
	$(CXX) $(LDFLAGS) -o $@ $^ $(BRIDGE_LIBS) $(LIBS)

$(BIN)/bench-bridge-shared: $(SHARED:%=$(BIN)/%) $(OUT)/libstepbus.so
	$(CC) $(LDFLAGS) -o $@ $(SHARED:%=$(BIN)/%) -L$(OUT) -lstepbus -Wl,-rpath,'$$ORIGIN/..' -lpthread

$(BIN)/bench-registry: $(REGISTRY:%=$(BIN)/%) $(OUT)/libstepbus.a
	$(CXX) $(LDFLAGS) -o $@ $^ $(REGISTRY_LIBS) $(LIBS)

# No contestant may see through its calls: neither inline these functions nor fold the equal ones into one.
$(BIN)/counters.o: FILE_FLAGS := -fno-inline $(shell echo 'int i;' | \
	$(CC) -Werror -fno-ipa-icf -x c -c -o /dev/null - 2>/dev/null && echo -fno-ipa-icf)
$(BIN)/bridge_main_shared.o: FILE_FLAGS := -DBENCH_IS_SHARED
$(BIN)/peer_gsignal.o $(BIN)/peer_ghash.o: FILE_FLAGS = $(GLIB_CFLAGS)
$(BIN)/peer_sigc.o: FILE_FLAGS = $(SIGC_CFLAGS)

# Rewritten only when the peers or the compilers change, so that they alone make everything be built again.
$(BIN)/settings: FORCE | $(BIN)
	@echo '$(CC) $(CXX) $(PEERS)' | cmp -s - $@ || echo '$(CC) $(CXX) $(PEERS)' > $@

$(BIN)/bridge_main_shared.o: bench/bridge_main.c $(BIN)/settings
	$(CC) $(BENCH_CFLAGS) $(C_FLAGS) $(PEERS) $(FILE_FLAGS) -c -o $@ $<
$(BIN)/%.o: bench/%.c $(BIN)/settings
	$(CC) $(BENCH_CFLAGS) $(C_FLAGS) $(PEERS) $(FILE_FLAGS) -c -o $@ $<
$(BIN)/%.o: bench/%.cpp $(BIN)/settings
	$(CXX) $(BENCH_CFLAGS) $(CXX_FLAGS) $(PEERS) $(FILE_FLAGS) -c -o $@ $<
$(BIN):
	mkdir -p $@

.PHONY: FORCE
FORCE:

-include $(wildcard $(BIN)/*.d)
