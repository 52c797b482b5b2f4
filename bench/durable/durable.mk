# SPDX-License-Identifier: MIT
# Builds the benchmark of durable steps into $(OUT)/bench/durable. Called by bench/durable/run.sh from the top
# folder, which says which peers are there: HAS_GEARMAN, HAS_POSTGRES, HAS_REDIS, and whether the
# library has an engine: HAS_STEPBUS (1 or empty).

OUT ?= build/release
CC ?= cc
PKG_CONFIG ?= pkg-config
BIN := $(OUT)/bench/durable

C_FLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-missing-field-initializers -Wstrict-prototypes \
	-Wmissing-prototypes -Wshadow -Wvla -I. -MMD -MP
LIBS := $(shell $(PKG_CONFIG) --libs sqlite3) -lpthread -lm

SOURCES := $(addprefix bench/durable/,durable_main rounds report chart server pair sqlite_raw sqlite_raw_runs \
	fdatasync peer_beanstalkd peer_node \
	postgres_server redis_server) $(addprefix bench/,harness report cpu counters process)
PEERS :=
ifneq ($(HAS_GEARMAN),)
PEERS += -DBENCH_HAS_GEARMAN
SOURCES += bench/durable/peer_gearman
LIBS += -lgearman
endif
ifneq ($(HAS_POSTGRES),)
PEERS += -DBENCH_HAS_POSTGRES $(shell $(PKG_CONFIG) --cflags libpq)
SOURCES += bench/durable/peer_postgres
LIBS += $(shell $(PKG_CONFIG) --libs libpq)
endif
ifneq ($(HAS_REDIS),)
PEERS += -DBENCH_HAS_REDIS $(shell $(PKG_CONFIG) --cflags hiredis)
SOURCES += bench/durable/peer_redis
LIBS += $(shell $(PKG_CONFIG) --libs hiredis)
endif
ifneq ($(HAS_STEPBUS),)
PEERS += -DBENCH_HAS_STEPBUS
SOURCES += $(addprefix bench/durable/,stepbus_engine stepbus_durable stepbus_backlog stepbus_latency)
LIBS := $(OUT)/libstepbus.a $(LIBS) $(shell $(PKG_CONFIG) --libs libevent_core libcjson)
endif
OBJECTS := $(SOURCES:bench/%=$(BIN)/%.o)

$(BIN)/bench-durable: $(OBJECTS) $(if $(HAS_STEPBUS),$(OUT)/libstepbus.a)
	$(CC) $(LDFLAGS) -o $@ $(OBJECTS) $(LIBS)

# Rewritten only when the peers or the compiler change, so that they alone make everything be built again.
$(BIN)/settings: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(PEERS)' | cmp -s - $@ || echo '$(CC) $(PEERS)' > $@

$(BIN)/%.o: bench/%.c $(BIN)/settings
	@mkdir -p $(@D)
	$(CC) $(C_FLAGS) $(PEERS) -c -o $@ $<

.PHONY: FORCE
FORCE:

-include $(OBJECTS:.o=.d)
