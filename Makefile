# presenced: one Makefile. `make help` lists what it can do.
# SPDX-License-Identifier: MIT

comma    := ,
BUILD    ?= build
ifeq ($(origin CC),default)
CC       := gcc
endif
CLANG    ?= clang
PYTHON   ?= /usr/bin/python3
VERSION  := 0.1.0
PREFIX   ?= /usr
SYSCONFDIR ?= /etc

PACKAGES := libevent sqlite3 libevent_openssl openssl libcares expat sofia-sip-ua jansson yaml-0.1 libsystemd libbsd
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lcsv
CLI_LIBS   := $(shell pkg-config --libs jansson yaml-0.1 libbsd expat 2>/dev/null) -lcsv

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
WERROR   ?= $(if $(CI),-Werror)
OPT      ?= -O2
HARDEN   ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
SANITIZE_FLAGS := $(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)

CPPFLAGS += -I. -D_GNU_SOURCE -DPRESENCED_VERSION='"$(VERSION)"' -DPRESENCED_SYSCONFDIR='"$(SYSCONFDIR)"'
CFLAGS   += -std=gnu17 -g $(OPT) $(if $(SANITIZE),,$(HARDEN)) $(WARNINGS) $(WERROR) $(SANITIZE_FLAGS) $(PKG_CFLAGS)
LDFLAGS  += $(SANITIZE_FLAGS) $(if $(SANITIZE),,-pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)

# The pure parts are what presencectl may use, and its own that unit tests try; everything else is the daemon's.
MODEL_SRC  := $(wildcard daemon/base/*.c daemon/model/*.c)
PURE_SRC   := $(MODEL_SRC) daemon/changelog.c daemon/directory.c $(wildcard daemon/aggregator*.c) \
              daemon/config.c daemon/config_yaml.c daemon/users_csv.c connectors/option.c connectors/specs.c \
              connectors/xml.c connectors/link_settings.c connectors/sip/pidf_words.c \
              cli/when.c cli/history_summary.c cli/users_text.c \
              connectors/tapi/line.c connectors/tapi/csta_line.c connectors/tapi/csta_refusal.c \
              $(wildcard connectors/*/*_spec.c connectors/*/*_document.c)
DAEMON_SRC := $(filter-out $(PURE_SRC) daemon/presenced.c,$(wildcard daemon/*.c daemon/console/*.c daemon/store/*.c)) \
              $(filter-out $(PURE_SRC),$(wildcard connectors/*.c connectors/*/*.c))
CLI_SRC    := $(filter-out $(PURE_SRC),$(wildcard cli/*.c))
TEST_SRC   := $(wildcard tests/unit/test_*.c)
FUZZ_SRC   := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC  := $(wildcard tests/bench/*.c)
C_FILES    := $(PURE_SRC) $(DAEMON_SRC) daemon/presenced.c $(CLI_SRC) $(TEST_SRC) $(FUZZ_SRC) $(BENCH_SRC)
H_FILES    := $(wildcard daemon/*.h daemon/*/*.h connectors/*.h connectors/*/*.h cli/*.h tests/*/*.h)

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)  $(2)')

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

.PHONY: all help deps check check-unit demo bench soak fuzz lint install clean build-tests
all: $(BUILD)/presenced $(BUILD)/presencectl

help:
	@echo 'make            build presenced and presencectl in $(BUILD)/'
	@echo 'make deps       install the Debian packages that are missing'
	@echo 'make check      build with sanitizers, run every test; the last line is "N passed, N failed"'
	@echo 'make demo       watch a small office change (DEMO_SECONDS=20 to end by itself)'
	@echo 'make bench      measure fan-out, throughput and memory'
	@echo 'make soak       the long versions of the random tests'
	@echo 'make fuzz       fuzz every parser for FUZZ_SECONDS (600) each'
	@echo 'make lint       clang-format, clang-tidy, cppcheck, mandoc, and our own habits'
	@echo 'make install    DESTDIR, PREFIX and SYSCONFDIR are honoured'

$(BUILD)/libpure.a: $(call objects,$(PURE_SRC))
	@rm -f $@
	$(Q)ar rcs $@ $^
$(BUILD)/libdaemon.a: $(call objects,$(DAEMON_SRC))
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/presenced: $(call objects,daemon/presenced.c) $(BUILD)/libdaemon.a $(BUILD)/libpure.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(BUILD)/presencectl: $(call objects,$(CLI_SRC)) $(BUILD)/libpure.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libdaemon.a $(BUILD)/libpure.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka
$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libdaemon.a $(BUILD)/libpure.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Built again when the flags change, not when only time passes.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' > $@
.PHONY: FORCE
FORCE:

build-tests: all $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(TEST_SRC))

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

clean:
	rm -rf $(BUILD)

.SECONDARY:

# --- what is needed ---------------------------------------------------------------------------------------------------

DEPS := pkg-config gcc clang clang-format clang-tidy cppcheck mandoc libclang-rt-14-dev \
        libevent-dev libssl-dev libc-ares-dev libexpat1-dev libsofia-sip-ua-dev libjansson-dev libyaml-dev \
        libsystemd-dev libsqlite3-dev sqlite3 libbsd-dev libcsv-dev libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-jsonschema socat redis-server \
        openssl netbase kamailio kamailio-presence-modules kamailio-tls-modules

deps:
	@missing=$$(dpkg-query -W -f='$${Package} $${Status}\n' $(DEPS) 2>/dev/null | \
	    awk '/ok installed/ { have[$$1] = 1 } END { n = split("$(DEPS)", all, " "); \
	    for (i = 1; i <= n; i++) if (!have[all[i]]) printf "%s ", all[i] }'); \
	if [ -n "$$missing" ]; then \
	    echo "Installing $$missing"; \
	    sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	    $$sudo apt-get update -qq && \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	fi

# --- tests ------------------------------------------------------------------------------------------------------------

ASAN := $(BUILD)/asan
FUZZ_SECONDS ?= 600

check: deps
	@+$(MAKE) --no-print-directory all
	@+$(MAKE) --no-print-directory build-tests BUILD=$(ASAN) SANITIZE=1 OPT=-O1
	@$(PYTHON) tests/run-check $(ASAN)

demo: deps
	@+$(MAKE) --no-print-directory all
	@$(PYTHON) tests/demo/run-demo $(BUILD)

bench: deps all
	@$(PYTHON) tests/bench/run-bench

soak: deps
	@+$(MAKE) --no-print-directory build-tests BUILD=$(ASAN) SANITIZE=1 OPT=-O1
	@PRESENCED_BUILD=$(abspath $(ASAN)) $(PYTHON) -m pytest -q tests/soak

fuzz: deps
	@$(PYTHON) tests/fuzz/run-fuzz $(FUZZ_SECONDS)

# --- habits -----------------------------------------------------------------------------------------------------------

lint: deps
	@$(PYTHON) tests/run-lint $(C_FILES) -- $(H_FILES) -- $(CPPFLAGS) $(PKG_CFLAGS)
	@+$(MAKE) --no-print-directory all BUILD=$(BUILD)/clang CC=$(CLANG) WERROR=-Werror

# --- installing -------------------------------------------------------------------------------------------------------

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(SYSCONFDIR)/presenced \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d \
	    $(DESTDIR)$(PREFIX)/share/doc/presenced $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions
	install -m 755 $(BUILD)/presenced $(DESTDIR)$(PREFIX)/sbin/presenced
	install -m 755 $(BUILD)/presencectl $(DESTDIR)$(PREFIX)/bin/presencectl
	for page in man/*.[1-8]; do \
	    install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$(basename $$page); done
	sed 's|/usr/sbin/presenced|$(PREFIX)/sbin/presenced|; s|/etc/presenced|$(SYSCONFDIR)/presenced|g' \
	    systemd/presenced.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/presenced.service
	install -m 644 systemd/presenced.sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/presenced.conf
	install -m 644 cli/completion/presencectl.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/presencectl
	install -m 644 cli/completion/_presencectl $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_presencectl
	install -m 644 README.md config/presenced.yaml config/users.csv config/bridge_client.py \
	    $(DESTDIR)$(PREFIX)/share/doc/presenced/
	for file in presenced.yaml users.csv; do \
	    [ -e $(DESTDIR)$(SYSCONFDIR)/presenced/$$file ] || \
	    install -m 644 config/$$file $(DESTDIR)$(SYSCONFDIR)/presenced/$$file; done
