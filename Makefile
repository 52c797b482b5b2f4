# SPDX-License-Identifier: MIT
# One Makefile for everything. `make` alone prints what there is.
VERSION := 0.1.0
SOVERSION := 0
# Settings; each may be given on the command line.
VARIANT ?= release
OUT ?= build/$(VARIANT)
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
CC ?= cc
CXX ?= c++
AR ?= ar
OBJCOPY ?= objcopy
PKG_CONFIG ?= pkg-config
# Another SQLite than the system's: where it is installed.
ifdef SQLITE_PREFIX
export PKG_CONFIG_PATH := $(SQLITE_PREFIX)/lib/pkgconfig:$(PKG_CONFIG_PATH)
SQLITE_RPATH := -Wl,-rpath,$(SQLITE_PREFIX)/lib
endif
# Many times what the longest test takes; sanitizers make each of them several times as long.
TEST_TIMEOUT_S ?= $(if $(filter asan tsan,$(VARIANT)),300,120)
# make V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),@:,@echo "  $(1)")
# In CI a warning is an error; elsewhere a newer compiler must not stop a user.
WERROR ?= $(if $(CI),-Werror)

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wvla \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wwrite-strings -Wcast-qual \
	-Wcast-align -Wpointer-arith -Wformat=2 -Wnull-dereference -Wswitch-enum -Wdouble-promotion
ifneq (,$(findstring Free Software Foundation,$(shell $(CC) --version 2>/dev/null)))
WARNINGS += -Wlogical-op -Wduplicated-cond -Wduplicated-branches
endif

OPTIMIZE_release := -O2 -g
HARDEN_release := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZE_tsan := -fsanitize=thread
OPTIMIZE_asan := -O1 -g
OPTIMIZE_tsan := -O1 -g
SANITIZE_coverage := --coverage
OPTIMIZE_coverage := -O0 -g
CFLAGS ?= $(OPTIMIZE_$(VARIANT))
SANITIZE := $(SANITIZE_$(VARIANT))
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -Isrc -fPIC -fvisibility=hidden -fno-semantic-interposition -pthread \
	-ffile-prefix-map=$(CURDIR)=. $(WARNINGS) $(WERROR) $(HARDEN_$(VARIANT)) $(SANITIZE) $(CFLAGS)
# Asked for when a recipe runs, since what answers may only just have been installed.
DEPENDENCY_CFLAGS = $(shell $(PKG_CONFIG) --cflags libevent_core libcjson sqlite3)
DEPENDENCY_LIBS = $(shell $(PKG_CONFIG) --libs libevent_core libcjson sqlite3) $(SQLITE_RPATH)
CMOCKA_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)

LAYERS := base config store bridge registry handlers ffi
SOURCES := $(sort $(foreach layer,$(LAYERS),$(wildcard src/$(layer)/*.c)))
OBJECTS := $(SOURCES:%.c=$(OUT)/%.o)
SUPPORT := $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/support/*.c))
TESTS := $(patsubst %.c,$(OUT)/%,$(sort $(wildcard tests/unit/test_*.c tests/store/test_*.c tests/ffi/test_*.c)))
PROOFS := $(patsubst %.c,$(OUT)/proof/%,$(notdir $(wildcard tests/torture/*.c tests/sim/*.c)))
HISTORY := $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/torture/history/*.c))
BENCH_GOALS := bench bench-bridge bench-registry bench-bindings bench-durable bench-durable-quick
PROOF_GOALS := torture-quick torture torture-long mutants sim fuzz model soak sanitized coverage reliability
EXAMPLES := $(patsubst %.c,$(OUT)/%,$(wildcard examples/*.c))
SHARED := $(OUT)/libstepbus.so.$(SOVERSION)
STATIC := $(OUT)/libstepbus.a
.DEFAULT_GOAL := help
.PHONY: $(BENCH_GOALS) help all check lint cdef abi states demo install uninstall clean asan tsan deps format
.SECONDARY:
help: ## print this list
	@echo "stepbus $(VERSION)"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-22s %s\n", $$1, $$2}'
	@echo "Settings: CC CFLAGS LDFLAGS PREFIX DESTDIR OUT VARIANT=release|asan|tsan"

all: $(SHARED) $(STATIC) $(OUT)/libstepbus.so ## build the libraries

demo: $(OUT)/examples/durable ## build what is needed, kill a worker in the middle of its steps, and see them completed
	@$<

check: all $(TESTS) $(EXAMPLES) $(OUT)/tools/states ## build and run all tests
	@TEST_TIMEOUT_S=$(TEST_TIMEOUT_S) OUT=$(OUT) CC='$(CC)' CXX='$(CXX)' tests/run.sh $(TESTS)

asan: ## run the tests under AddressSanitizer and UndefinedBehaviorSanitizer
tsan: ## run the tests under ThreadSanitizer
asan tsan:
	@$(MAKE) --no-print-directory VARIANT=$@ OUT=build/$@ run-tests

.PHONY: $(PROOF_GOALS) run-tests check-bindings
torture-quick: ## kill, starve, cut off and confuse it for some minutes, and check that nothing is lost or done twice
torture: ## the same for up to an hour
torture-long: ## the same for a night
mutants: ## put 31 faults into the library, each of which the checker must find
sim: ## simulate workers, faults and clocks from seeds
fuzz: ## feed every parser what nobody expects (SECONDS_EACH=60)
model: ## check the protocol of leases and completions in all its interleavings
soak: ## run for an hour (SOAK_SECONDS=3600) and watch memory, descriptors and the log of the store
sanitized: ## run the proof in small forms under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer
coverage: ## say how much of src/ the tests run, by line and branch
reliability: ## write docs/RELIABILITY.md from what was run
$(PROOF_GOALS): $(PROOFS)
	@OUT=$(OUT) CC='$(CC)' tests/prove.sh $@

check-bindings: all ## run the tests of the bindings and the examples in other languages
	@OUT=$(OUT) CC='$(CC)' CXX='$(CXX)' tests/bindings/run.sh
run-tests: $(TESTS)
	@SCRIPTS=0 TEST_TIMEOUT_S=$(TEST_TIMEOUT_S) OUT=$(OUT) tests/run.sh $(TESTS)
lint: all ## check layers, sizes, symbols, the header, format, clang-tidy and cppcheck
	@OUT=$(OUT) tools/lint.sh

cdef: ## write include/stepbus.cdef.h from the header
	@mkdir -p $(OUT) && tools/cdef.sh include/stepbus.h > $(OUT)/stepbus.cdef.h && mv $(OUT)/stepbus.cdef.h include/
abi: all ## write down in abi/stepbus.abi what the library offers, for lint to hold later ones against
	@tools/abi.sh include $(SHARED) > $(OUT)/stepbus.abi && mv $(OUT)/stepbus.abi abi/
states: $(OUT)/tools/states ## write docs/STATES.md from the table of states
	@$< > $(OUT)/STATES.md && mv $(OUT)/STATES.md docs/STATES.md

bench: ## run all benchmarks; peers that are installed take part
bench-bridge: ## run the benchmark of the bridge
bench-registry: ## run the benchmark of the registry and of the in-memory flow
bench-bindings: ## measure what a step costs in C, Python and Node
bench-durable: ## run the benchmark of durable steps, beside servers that it starts itself
bench-durable-quick: ## the same in less than a minute, without the peers that need a server
$(BENCH_GOALS): all
	@OUT=$(OUT) CC='$(CC)' CXX='$(CXX)' bench/run.sh $(patsubst bench-%,%,$@)

format: deps ## format the sources
	@clang-format -i $$(find src include tests examples bench -name '*.[ch]')

# On the machine itself the loader has to hear of it; below DESTDIR a package does that.
tell_loader = @if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" -eq 0 ]; then ldconfig; fi

install: all ## install under PREFIX (/usr/local), below DESTDIR
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	install -m 644 include/stepbus.h include/stepbus.cdef.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)/libstepbus.a
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)/libstepbus.so.$(SOVERSION)
	ln -sf libstepbus.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libstepbus.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' tools/stepbus.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/stepbus.pc
	$(call tell_loader)

uninstall: ## take away what install put there
	rm -f $(DESTDIR)$(INCLUDEDIR)/stepbus.h $(DESTDIR)$(INCLUDEDIR)/stepbus.cdef.h \
		$(addprefix $(DESTDIR)$(LIBDIR)/,libstepbus.a libstepbus.so libstepbus.so.$(SOVERSION) pkgconfig/stepbus.pc)
	$(call tell_loader)

clean: ## remove all that was built
	rm -rf build

# What the goals need on this machine, asked for in one go; the stamp spares asking again.
NEEDS := $(if $(filter lint format abi,$(MAKECMDGOALS)),lint,$(if $(filter $(PROOF_GOALS),$(MAKECMDGOALS)),proof,$(if \
	$(filter check-bindings,$(MAKECMDGOALS)),bindings,$(if \
	$(filter check asan tsan run-tests $(OUT)/tests/%,$(MAKECMDGOALS)),test,build))))
deps:
	@test -e build/.deps-$(NEEDS) || CC='$(CC)' tools/deps.sh $(NEEDS)
	@mkdir -p build && touch build/.deps-$(NEEDS)

$(OUT)/%.o: %.c Makefile | deps
	@mkdir -p $(@D)
	$(call say,cc    $<)
	$(Q)$(CC) $(ALL_CFLAGS) $(DEPENDENCY_CFLAGS) -MMD -MP -c $< -o $@

# nodelete: threads that end after a dlclose would run a destructor that is gone.
$(SHARED): $(OBJECTS) src/ffi/stepbus.map
	$(call say,link  $@)
	$(Q)$(CC) -shared -pthread $(SANITIZE) $(LDFLAGS) -Wl,-soname,$(@F) -Wl,--version-script,src/ffi/stepbus.map \
		-Wl,-z,relro,-z,now,-z,noexecstack,-z,defs,-z,nodelete -o $@ $(OBJECTS) $(DEPENDENCY_LIBS)

$(OUT)/libstepbus.so: $(SHARED)
	@ln -sf $(<F) $@

# One object in which only the exported names are global.
$(STATIC): $(OBJECTS)
	$(call say,link  $@)
	$(Q)$(CC) -r -nostdlib -o $(OUT)/stepbus-all.o $(OBJECTS)
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='stepbus_*' $(OUT)/stepbus-all.o
	@rm -f $@
	$(Q)$(AR) rcs $@ $(OUT)/stepbus-all.o

$(OUT)/tests/%: $(OUT)/tests/%.o $(OBJECTS) $(SUPPORT)
	$(call say,link  $@)
	$(Q)$(CC) -pthread $(SANITIZE) $(LDFLAGS) -o $@ $^ $(CMOCKA_LIBS) $(DEPENDENCY_LIBS)

# Examples include <stepbus.h>, and see no more than a user does.
$(OUT)/examples/%.o: ALL_CFLAGS += -Iinclude
$(OUT)/examples/%: $(OUT)/examples/%.o $(STATIC)
	$(call say,link  $@)
	$(Q)$(CC) -pthread $(SANITIZE) $(LDFLAGS) -o $@ $^ $(DEPENDENCY_LIBS)

$(OUT)/tests/%.o: ALL_CFLAGS += -Itests
$(OUT)/tools/states: $(OUT)/tools/states.o $(OUT)/src/store/step_state.o
	$(call say,link  $@)
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^

# A program of the proof: its file, the folder of its name, and the checker, which all of them share.
.SECONDEXPANSION:
$(PROOFS): $(OUT)/proof/%: $$(addprefix $(OUT)/,$$(addsuffix .o,$$(basename $$(wildcard tests/torture/$$*.c tests/sim/$$*.c tests/*/$$*/*.c)))) \
	$(HISTORY) $(OBJECTS) $(SUPPORT)
	@mkdir -p $(@D)
	$(call say,link  $@)
	$(Q)$(CC) -pthread $(SANITIZE) $(LDFLAGS) -o $@ $^ $(CMOCKA_LIBS) $(DEPENDENCY_LIBS)
-include $(shell test -d $(OUT) && find $(OUT) -name '*.d')
