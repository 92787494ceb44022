# make help lists the targets. Everything made goes below build/FLAVOUR (release, asan, cov).
FLAVOUR ?= release
PREFIX  ?= /usr
DESTDIR ?=
CC      ?= gcc
B       := build/$(FLAVOUR)
O       := $(B)/obj
VERSION := 0.1.0

comma    := ,
PKG      := libmicrohttpd jansson libcurl sqlite3 gnutls libsodium libseccomp
pkg       = $(shell pkg-config $(1) $(2) 2>/dev/null)

WARN     := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Werror
HARDEN   := -fstack-protector-strong -fPIE -fstack-clash-protection
LDHARDEN := -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
# Some hundred bytes are set and copied by the C library where gcc for x86 would take "rep stos", which is slow to start.
LIBC_SET := $(foreach s,memset memcpy,-m$(s)-strategy=unrolled_loop:64:noalign$(comma)libcall:-1:noalign)
LIBC_SET := $(shell $(CC) $(LIBC_SET) -E -x c /dev/null >/dev/null 2>&1 && echo $(LIBC_SET))
ifeq ($(FLAVOUR),asan)
OPT := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else ifeq ($(FLAVOUR),cov)
OPT := -O0 -g --coverage -DSANDBOX_OPEN
else
OPT := -O2 -g -D_FORTIFY_SOURCE=2 $(LIBC_SET)
endif
CFLAGS   ?=
ALL_CFLAGS = -std=gnu11 $(OPT) $(WARN) $(HARDEN) -D_GNU_SOURCE -DROLLOUT_VERSION='"$(VERSION)"' -I. $(CFLAGS)
ALL_LDFLAGS = $(OPT) $(LDHARDEN) $(LDFLAGS)

PROGRAMS := $(B)/rollout $(B)/rollout-agent $(B)/demo-server
MODULES  := $(patsubst %,$(B)/nginx-module/ngx_%_upstream_api_module.so,http stream)

.PHONY: all
all: programs module man completion
.PHONY: programs module
programs: $(PROGRAMS)
module: $(MODULES)

# ---- objects: a folder, an archive; main.c stays outside, so that tests link the rest
lib_srcs = $(filter-out $(1)/main.c,$(wildcard $(1)/*.c))
lib_objs = $(patsubst %.c,$(O)/%.o,$(call lib_srcs,$(1)))
LIBS := common agent controller demo-server tests/stage tests/load tests/sim tests/bench tests/bench/fake tests/inventory
define archive
$(O)/$(1).a: $(call lib_objs,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(if $$^,ar rcs $$@ $$^,ar rcs $$@)
endef
$(foreach l,$(LIBS),$(eval $(call archive,$(l))))

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(call pkg,--cflags,$(PKG)) -MMD -MP -c -o $@ $<

$(B)/rollout: $(O)/controller/main.o $(O)/controller.a $(O)/common.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call pkg,--libs,libcurl jansson sqlite3 gnutls)
$(B)/rollout-agent: $(O)/agent/main.o $(O)/agent.a $(O)/common.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call pkg,--libs,jansson gnutls libsodium libseccomp)
$(B)/demo-server: $(O)/demo-server/main.o $(O)/demo-server.a $(O)/common.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call pkg,--libs,libmicrohttpd)

# Releases of the demo server for the demo and the tests: version.c compiled anew, see demo-server/version.h
VARIANTS := $(foreach v,v2 v3 exit hang sick fickle late errs slow,$(B)/demo-server-$(v))
VARIANT_v2   := -DDEMO_VERSION='"2"'
VARIANT_v3   := -DDEMO_VERSION='"3"'
VARIANT_exit := -DDEMO_VERSION='"2"' -DDEMO_BREAK_EXIT
VARIANT_hang := -DDEMO_VERSION='"2"' -DDEMO_BREAK_HANG
VARIANT_sick := -DDEMO_VERSION='"2"' -DDEMO_BREAK_SICK
VARIANT_fickle := -DDEMO_VERSION='"2"' -DDEMO_BREAK_FICKLE
VARIANT_late := -DDEMO_VERSION='"2"' -DDEMO_BREAK_LATE
VARIANT_errs := -DDEMO_VERSION='"2"' -DDEMO_BREAK_ERRS
VARIANT_slow := -DDEMO_VERSION='"2"' -DDEMO_BREAK_SLOW
$(B)/demo-server-%: demo-server/version.c demo-server/version.h $(O)/demo-server/main.o $(O)/demo-server.a $(O)/common.a
	$(CC) $(ALL_CFLAGS) $(VARIANT_$*) -c -o $(O)/demo-server/version-$*.o $<
	$(CC) $(ALL_LDFLAGS) -o $@ $(O)/demo-server/main.o $(O)/demo-server/version-$*.o $(filter %.a,$^) $(call pkg,--libs,libmicrohttpd)

$(B)/tests/load/load: $(O)/tests/load/main.o $(O)/tests/load.a $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call pkg,--libs,jansson)

$(B)/tests/bench/hammer: $(O)/tests/bench/main.o $(O)/tests/bench.a $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^

$(B)/tests/bench/fleet: $(O)/tests/bench/fake/main.o $(O)/tests/bench/fake.a $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call pkg,--libs,gnutls)

# LD_PRELOAD for the programs as they are released: the n-th call of a kind kills or fails (fault.h), each change of
# the disk is written down (disk.h), or the clock is set (clock.h).
$(B)/tests/sweep/%.so: tests/sweep/%.c tests/sweep/%.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -fPIC -shared $(WARN) -D_GNU_SOURCE -I. -o $@ $<

# ---- the controller's object code against a simulated fleet: memory and clock are the story's (tests/sim/arena.h)
SIM_WRAP := malloc calloc realloc reallocarray strdup vasprintf free clock_gettime plan_pack
SIM_LDFLAGS = $(ALL_LDFLAGS) $(patsubst %,-Wl$(comma)--wrap=%,$(SIM_WRAP))
SIM_LINK    = $(SIM_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(TEST_LIBS)
SIM_LIBS := $(O)/tests/sim.a $(O)/controller.a $(O)/common.a
$(B)/tests/sim/sim: $(O)/tests/sim/main.o $(SIM_LIBS)
	@mkdir -p $(@D)
	$(CC) $(SIM_LINK)
$(B)/tests/cases/sim_case $(B)/tests/cases/reach_case: $(B)/tests/cases/%: $(O)/tests/cases/%.o $(SIM_LIBS)
	@mkdir -p $(@D)
	$(CC) $(SIM_LINK)
SEEDS ?= 100000
SEED  ?= 1
.PHONY: sim mutants exhaust
exhaust: deps
	@$(SUBMAKE) -s $(B)/tests/sim/sim
	@$(B)/tests/sim/sim -x
sim: deps
	@$(SUBMAKE) -s $(B)/tests/sim/sim
	@$(B)/tests/sim/sim -n $(SEEDS) -s $(SEED)
mutants: deps
	@$(SUBMAKE) -s $(B)/tests/sim/sim
	@SIM_CC="$(CC) $(filter-out -DROLLOUT_VERSION=%,$(ALL_CFLAGS)) $(call pkg,--cflags,$(PKG))" SIM_LD="$(CC) $(SIM_LDFLAGS)" \
	 SIM_MAIN="$(O)/tests/sim/main.o" SIM_ARCHIVES="$(SIM_LIBS)" SIM_END="$(TEST_LIBS)" tests/sim/mutants/run $(B) $(MUTANTS)

# ---- a program with the official client of the NGINX Plus API, where Go and Debian's package of it are installed
GO_PATH := /usr/share/gocode
ifneq ($(and $(shell command -v go),$(wildcard $(GO_PATH)/src/github.com/nginxinc/nginx-plus-go-client)),)
PLUS_CLIENT := $(B)/tests/client/plus
endif
$(B)/tests/client/plus: tests/client/plus.go
	@mkdir -p $(@D)
	GO111MODULE=off GOPATH=$(GO_PATH) GOCACHE=$(abspath $(B))/tests/client/cache go build -o $@ $<

# ---- the seed's program, where Go and the library it uses are installed: two releases, which differ in a build's name
ifneq ($(and $(shell command -v go),$(wildcard $(GO_PATH)/src/github.com/facebookgo/grace)),)
GRACE := $(B)/tests/client/grace-1 $(B)/tests/client/grace-2
endif
$(B)/tests/client/grace-%: tests/client/grace.go
	@mkdir -p $(@D)
	GO111MODULE=off GOPATH=$(GO_PATH) GOCACHE=$(abspath $(B))/tests/client/cache go build -ldflags=-buildid=$* -o $@ $<

# ---- the nginx modules, built against the installed nginx-dev as Debian builds its own
MODULE_FILES := $(foreach d,deploy/nginx-module deploy/nginx-module/stream,$(wildcard $(d)/*.c $(d)/*.h $(d)/*.def) $(d)/config $(d)/exports.map)
$(MODULES) &: $(MODULE_FILES) deploy/nginx-module/build
	FLAVOUR=$(FLAVOUR) deploy/nginx-module/build $(B)/nginx-module

# ---- tests: tests/unit/FOLDER/*_test.c is linked with FOLDER's archive, tests/cases/*_case.c with the stage
UNIT_SRCS := $(wildcard tests/unit/*/*_test.c)
UNITS     := $(patsubst %.c,$(B)/%,$(UNIT_SRCS))
CASE_SRCS := $(wildcard tests/cases/*_case.c)
CASES     := $(patsubst %.c,$(B)/%,$(CASE_SRCS))
TEST_LIBS  = $(call pkg,--libs,cmocka $(PKG)) -lpthread
define unit_rule
$(B)/tests/unit/$(1)/%_test: $(O)/tests/unit/$(1)/%_test.o $(O)/$(1).a $(O)/common.a
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(TEST_LIBS)
endef
$(foreach l,common agent demo-server,$(eval $(call unit_rule,$(l))))
# The controller's may use the fake fleet, which uses the controller.
$(B)/tests/unit/controller/%_test: $(O)/tests/unit/controller/%_test.o $(O)/tests/sim.a $(O)/tests/inventory.a $(O)/controller.a $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
# The pages of docs/, beside the tables of the code.
$(B)/tests/unit/docs/%_test: $(O)/tests/unit/docs/%_test.o $(O)/controller.a $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
$(B)/tests/unit/load/%_test: $(O)/tests/unit/load/%_test.o $(O)/tests/load.a $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
# of the module, what knows no nginx
MODULE_PURE_SRCS := $(patsubst %,deploy/nginx-module/%.c,body counts fields json_escape lease outage prefer process route state_file state_text)
MODULE_PURE := $(patsubst %.c,$(O)/%.o,$(MODULE_PURE_SRCS))
$(B)/tests/unit/nginx-module/%_test: $(O)/tests/unit/nginx-module/%_test.o $(MODULE_PURE) $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
# speaks as the agent's network half
$(B)/tests/cases/agent_halves_case: $(O)/agent/frame.o
$(B)/tests/cases/%_case: $(O)/tests/cases/%_case.o $(O)/tests/stage.a $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)

JOBS      ?= $(shell nproc)
# A make of its own, so that what make deps has just installed is seen by pkg-config.
SUBMAKE    = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))
TEST_PARTS := $(VARIANTS) $(B)/tests/load/load $(B)/tests/sweep/fault.so $(B)/tests/sweep/disk.so $(B)/tests/sweep/clock.so $(PLUS_CLIENT) $(GRACE)

.PHONY: deps deps-lint test-parts test-build test check-asan check-valgrind prove-tests
deps:
	@deploy/packaging/deps build test
deps-lint:
	@deploy/packaging/deps build test lint
test-parts: $(TEST_PARTS)
# a case mostly waits: two cores are busy for a third of the time with three of them
TESTS_AT_ONCE ?= $(shell echo $$(($$(nproc) * 3 / 2)))
test-build: all $(TEST_PARTS) $(UNITS) $(CASES)
test: deps
	@$(SUBMAKE) -s test-build
	@tests/run -j $(TESTS_AT_ONCE) $(B) $(CASES) $(UNITS)
check-asan:
	@$(MAKE) --no-print-directory FLAVOUR=asan test
check-valgrind: deps-lint
	@$(SUBMAKE) -s $(UNITS)
	@tests/run -w "valgrind -q --error-exitcode=99 --leak-check=full" $(B) $(UNITS)
prove-tests: deps
	@tests/prove/run
# `make test` does the same where the packages of the set `client` (Go: 300 MB) are there already
GO_CASES := $(patsubst %,$(B)/tests/cases/%_case,module_client agent_any rollout_any)
.PHONY: check-client
check-client: deps
	@deploy/packaging/deps client
	@$(SUBMAKE) -s all test-parts $(GO_CASES)
	@tests/run $(B) $(GO_CASES)

# ---- the hosts parser beside Ansible's own, on made inventories: INVENTORIES of them, from SEED on
INVENTORIES ?= 600
$(B)/tests/inventory/tell: $(O)/tests/inventory/main.o $(O)/tests/inventory.a $(O)/controller.a $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call pkg,--libs,libcurl jansson sqlite3 gnutls)
.PHONY: check-inventory
check-inventory: deps
	@deploy/packaging/deps inventory
	@$(SUBMAKE) -s $(B)/tests/inventory/tell
	@tests/inventory/compare $(B) $(INVENTORIES) $(SEED)

# ---- the module for longer than a test may take. SOAK_SECONDS is tests/soak's
.PHONY: soak-module
soak-module: deps
	@$(SUBMAKE) -s test-build
	@tests/soak $(B)

# ---- the controller killed and failed at each of its calls. KINDS, STRIDE, LIMIT, SWEEP_SECONDS, SHARDS are tests/sweep/run's
.PHONY: sweep
sweep: deps
	@$(SUBMAKE) -s all test-parts $(B)/tests/cases/rollout_sweep_case
	@tests/sweep/run $(B)

# ---- fuzzing: tests/fuzz/x_fuzz.c is a target, linked with the module's pure parts, the agent and common, all with the
# sanitizers; once for libFuzzer, once (replay) for what it found. FUZZ_SECONDS is tests/fuzz/run's
FUZZ_CC    ?= clang
FUZZES     := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_PROGS := $(foreach f,$(FUZZES),$(B)/tests/fuzz/$(f) $(B)/tests/fuzz/$(f)-replay)
FUZZ_FLAGS  = -std=gnu11 -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all $(WARN) -Wno-format-nonliteral \
              -D_GNU_SOURCE \
              -DROLLOUT_VERSION='"$(VERSION)"' -I. $(call pkg,--cflags,$(PKG))
FUZZ_LIBS   = $(call pkg,--libs,jansson gnutls libsodium libseccomp)
FO         := $(O)/fuzz
fuzz_objs   = $(patsubst %.c,$(FO)/$(1)/%.o,$(2))
FUZZ_CC_fuzzer = $(FUZZ_CC) -fsanitize=fuzzer-no-link,address,undefined
FUZZ_CC_replay = $(CC) -fsanitize=address,undefined
define fuzz_rules
$(FO)/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(FUZZ_CC_$(1)) $$(FUZZ_FLAGS) -MMD -MP -c -o $$@ $$<
$(FO)/$(1)/agent.a: $(call fuzz_objs,$(1),$(call lib_srcs,agent))
$(FO)/$(1)/common.a: $(call fuzz_objs,$(1),$(call lib_srcs,common))
$(FO)/$(1)/agent.a $(FO)/$(1)/common.a:
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach f,fuzzer replay,$(eval $(call fuzz_rules,$(f))))
# of the controller, what reads the agent's answers
FUZZ_CONTROLLER := controller/agent_read.c controller/pool.c
fuzz_parts  = $(call fuzz_objs,$(1),$(MODULE_PURE_SRCS) $(FUZZ_CONTROLLER)) $(FO)/$(1)/agent.a $(FO)/$(1)/common.a
$(B)/tests/fuzz/%-replay: $(FO)/replay/tests/fuzz/%_fuzz.o $(FO)/replay/tests/fuzz/replay.o $(call fuzz_parts,replay)
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -o $@ $^ $(FUZZ_LIBS)
$(B)/tests/fuzz/%: $(FO)/fuzzer/tests/fuzz/%_fuzz.o $(call fuzz_parts,fuzzer)
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(FUZZ_LIBS)
.PHONY: fuzz fuzz-build fuzz-live
fuzz-build: $(FUZZ_PROGS)
fuzz: deps
	@deploy/packaging/deps fuzz
	@$(SUBMAKE) -s fuzz-build
	@tests/fuzz/run $(B) $(FUZZES)
# requests to a running nginx with the sanitizers in the module
FUZZ_SECONDS ?= 60
fuzz-live: deps
	@$(SUBMAKE) -s FLAVOUR=asan test-parts all build/asan/tests/cases/module_fuzz_case
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run -l $$(($(FUZZ_SECONDS) + 300)) build/asan build/asan/tests/cases/module_fuzz_case

# ---- beside gracehttp and nginx: packages of the set `bench`, not needed by any test. ROUNDS, ZERO and GRACE_LISTING are
# tests/bench/handover's.
.PHONY: bench-handover bench-module bench-rollout
bench-handover: deps
	@deploy/packaging/deps bench || echo "bench-handover: not all of what it compares with is here; it goes on without"
	@$(SUBMAKE) -s $(B)/demo-server $(B)/tests/bench/hammer
	@tests/bench/handover $(B)
bench-module: deps
	@deploy/packaging/deps bench-module
	@$(SUBMAKE) -s module
	@tests/bench/module $(B)
# ---- on a fake fleet, beside two scripts; ONE, MANY, HUGE and STATE are tests/bench/rollout's
bench-rollout: deps
	@deploy/packaging/deps bench-rollout
	@$(SUBMAKE) -s $(B)/rollout $(B)/tests/bench/fleet
	@tests/bench/rollout $(B)

# ---- the demo, and the same without a drain
DEMO := $(B)/deploy/demo/demo
RECORD := $(B)/deploy/demo/record
$(DEMO) $(RECORD): $(B)/deploy/demo/%: $(O)/deploy/demo/%.o $(O)/tests/stage.a $(O)/common.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call pkg,--libs,jansson libcurl)
.PHONY: demo-build demo demo-broken
demo-build: all $(TEST_PARTS) $(DEMO)
demo demo-broken: deps
	@$(SUBMAKE) -s demo-build
	@$(DEMO) $(if $(filter demo-broken,$@),--broken)
# ---- docs/rollout.svg, the demo's rollout as a terminal shows it
.PHONY: recording
recording: deps
	@$(SUBMAKE) -s all $(TEST_PARTS) $(RECORD)
	@$(RECORD) $(CURDIR)/docs/rollout.svg

# ---- lint: layout, scripts, cppcheck, clang-tidy; the nginx module is built first because its headers come from there
.PHONY: lint
lint: deps-lint
	@$(MAKE) --no-print-directory -s FLAVOUR=release module man
	@.ci/lint

# ---- man pages: templates, with the tables of options and keys put in
MAN := $(patsubst deploy/man/%.in,$(B)/man/%,$(wildcard deploy/man/*.in))
.PHONY: man
man: $(MAN)
$(B)/man/page: $(O)/deploy/man/page.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^
$(MAN): $(B)/man/%: deploy/man/%.in $(B)/man/page
	$(B)/man/page $(@F) <$< >$@.new
	@mv $@.new $@

# ---- completion for the shells, from the same table
COMPLETIONS := $(addprefix $(B)/completion/rollout.,bash zsh fish)
.PHONY: completion
completion: $(COMPLETIONS)
$(B)/completion/complete: $(O)/deploy/completion/complete.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^
$(COMPLETIONS): $(B)/completion/rollout.%: $(B)/completion/complete
	$(B)/completion/complete $* >$@.new
	@mv $@.new $@

# ---- install: PREFIX also goes into the systemd units and into what loads the modules
SYSTEMD_DIR = $(PREFIX)/lib/systemd/system
MODULES_DIR = $(PREFIX)/lib/nginx/modules
MAN_DIR     = $(PREFIX)/share/man
MODCONF_DIR = $(PREFIX)/share/nginx/modules-available
DOC_DIR     = $(PREFIX)/share/doc/rollout
SYSUSERS_DIR = $(PREFIX)/lib/sysusers.d
BASH_DIR    = $(PREFIX)/share/bash-completion/completions
ZSH_DIR     = $(PREFIX)/share/zsh/vendor-completions
FISH_DIR    = $(PREFIX)/share/fish/vendor_completions.d
SERVICES   := $(notdir $(wildcard deploy/systemd/*.service deploy/systemd/*.socket))
SYSUSERS   := $(patsubst deploy/systemd/%.sysusers,%.conf,$(wildcard deploy/systemd/*.sysusers))
MODCONFS   := $(notdir $(wildcard deploy/nginx/mod-*.conf))
EXAMPLES   := deploy/packaging/rollout-agent.conf deploy/nginx/nginx.conf deploy/nginx/upstream_api_state.conf
man_section = $(patsubst .%,%,$(suffix $(1)))
INSTALLED   = $(PREFIX)/bin/rollout $(PREFIX)/bin/rollout-pki $(PREFIX)/sbin/rollout-agent $(PREFIX)/bin/demo-server \
              $(addprefix $(MODULES_DIR)/,$(notdir $(MODULES))) $(addprefix $(DOC_DIR)/,$(notdir $(EXAMPLES))) $(addprefix $(SYSTEMD_DIR)/,$(SERVICES)) \
              $(addprefix $(SYSUSERS_DIR)/,$(SYSUSERS)) $(addprefix $(MODCONF_DIR)/,$(MODCONFS)) \
              $(BASH_DIR)/rollout $(ZSH_DIR)/_rollout $(FISH_DIR)/rollout.fish \
              $(foreach m,$(notdir $(MAN)),$(MAN_DIR)/man$(call man_section,$(m))/$(m))
.PHONY: install uninstall
install: all man completion
	install -D -m 755 $(B)/rollout $(DESTDIR)$(PREFIX)/bin/rollout
	install -D -m 755 $(B)/rollout-agent $(DESTDIR)$(PREFIX)/sbin/rollout-agent
	install -D -m 755 $(B)/demo-server $(DESTDIR)$(PREFIX)/bin/demo-server
	install -m 755 deploy/pki/rollout-pki $(DESTDIR)$(PREFIX)/bin/rollout-pki
	install -d $(DESTDIR)$(MODULES_DIR)
	install -m 644 $(MODULES) $(DESTDIR)$(MODULES_DIR)
	install -d $(DESTDIR)$(MODCONF_DIR) $(DESTDIR)$(DOC_DIR)
	for c in $(MODCONFS); do sed 's,modules/,$(MODULES_DIR)/,' deploy/nginx/$$c >$(DESTDIR)$(MODCONF_DIR)/$$c && \
	    chmod 644 $(DESTDIR)$(MODCONF_DIR)/$$c || exit 1; done
	install -m 644 $(EXAMPLES) $(DESTDIR)$(DOC_DIR)
	$(foreach m,$(notdir $(MAN)),install -D -m 644 $(B)/man/$(m) $(DESTDIR)$(MAN_DIR)/man$(call man_section,$(m))/$(m) &&) :
	install -D -m 644 $(B)/completion/rollout.bash $(DESTDIR)$(BASH_DIR)/rollout
	install -D -m 644 $(B)/completion/rollout.zsh $(DESTDIR)$(ZSH_DIR)/_rollout
	install -D -m 644 $(B)/completion/rollout.fish $(DESTDIR)$(FISH_DIR)/rollout.fish
	install -d $(DESTDIR)$(SYSTEMD_DIR)
	for u in $(SYSUSERS); do install -D -m 644 deploy/systemd/$${u%.conf}.sysusers $(DESTDIR)$(SYSUSERS_DIR)/$$u || exit 1; done
	for s in $(SERVICES); do sed 's,=/usr/\(s\?bin\)/,=$(PREFIX)/\1/,' deploy/systemd/$$s >$(DESTDIR)$(SYSTEMD_DIR)/$$s && \
	    chmod 644 $(DESTDIR)$(SYSTEMD_DIR)/$$s || exit 1; done
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))

# ---- Debian packages in build/deb; deb-test: lintian, the same bytes twice, and a life of them in a Debian 12 of their own
.PHONY: deb deb-test
deb:
	@deploy/packaging/deps build deb
	@deploy/packaging/build-deb $(CURDIR)/build/deb
deb-test: deb
	@deploy/packaging/deps deb-test
	@deploy/packaging/test-deb build/deb build/deb-test

# ---- the README's commands in four new Debian 12 with systemd; what they answer goes to docs/first-rollout.md
.PHONY: readme
readme:
	@deploy/packaging/deps build readme
	@$(SUBMAKE) -s $(B)/tests/load/load
	@tests/readme/run $(B)

# ---- both commands and the lint in a minimal Debian 12, by hand: needs root and debootstrap
.PHONY: fresh-root
fresh-root:
	@deploy/packaging/fresh-root build/fresh-root

.PHONY: help
help:
	@echo 'make demo         rolls a fleet on this machine from version 1 to 2 under load; ends with one line'
	@echo 'make demo-broken  the same without a drain: must lose requests'
	@echo 'make test         unit tests and cases on real parts; ends with N passed, N failed'
	@echo 'make lint         layout, shell scripts, cppcheck, clang-tidy; ends with N passed, N failed'
	@echo 'make check-asan   make test with ASan and UBSan;  make check-valgrind: the unit tests below valgrind'
	@echo 'make prove-tests  breaks each promise in a copy; the test that it names must fail'
	@echo 'make check-client the official Go client of the NGINX Plus API, and a service on gracehttp; installs both and Go'
	@echo 'make check-inventory the hosts parser beside Ansible on made inventories; installs ansible-core'
	@echo 'make bench-handover  the demo server beside gracehttp and nginx: speed, failures under restarts, memory'
	@echo 'make soak-module  races, kills, reloads and random requests for the nginx module, 5 minutes of each and more'
	@echo 'make sweep        a rollout killed, or failed, at each of its calls, and resumed'
	@echo 'make fuzz         libFuzzer over what the module reads; make fuzz-live: random requests to it under ASan'
	@echo 'make sim          rollouts against a simulated fleet: SEEDS=N (100,000), SEED=FIRST; make mutants, make exhaust'
	@echo 'make bench-module  instructions that the module adds to a proxied request; a list of 1,000 servers'
	@echo 'make bench-rollout  rollouts of 50 to 10,000 nodes on a fake fleet, beside bash and asyncio scripts'
	@echo 'make              the three programs, the nginx modules, man pages and completion, below build/release'
	@echo 'make install      to DESTDIR and PREFIX (/usr);  make uninstall removes what it put there'
	@echo 'make deb          Debian packages in build/deb; make deb-test tries them (root: in a Debian 12 below build/)'
	@echo 'make readme       types the README in four Debian 12 with systemd, under load (root, debootstrap); make recording: its picture'
	@echo 'make deps         installs what is missing of deploy/packaging/build-deps; test, demo and lint do so themselves'
	@echo 'make fresh-root   demo and test in a minimal Debian 12 (by hand: root, debootstrap)'
	@echo 'make clean        removes build/'
	@echo 'FLAVOUR=release (default), asan or cov; CC, CFLAGS, LDFLAGS as usual'

.PHONY: clean
clean:
	rm -rf build
.SECONDARY:
-include $(shell find $(B) -name '*.d' -type f 2>/dev/null)
