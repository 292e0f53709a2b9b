# Drives both products and every check.  The plugin and the extension are built
# by the server's build system (pgxs.mk), the shipper by an ordinary makefile.
#
#	make               build wal2kafka.so and shipper/wal2kafka
#	make install       into the server of PG_CONFIG, and under prefix
#	make demo          see it work, on a throwaway server and broker
#	make check         every test on the default server, and the regression
#	                   tests on all other majors
#	make check-all     every test on every major
#	make check-long    what takes hours: chaos, mutants, thousands of generated
#	                   cases, fuzzing, a server with assertions, valgrind
#	make chaos [MINUTES=10] [SEED=n] [MAJOR=18]
#	                   random faults under load
#	make mutants       known bugs, one at a time: do the stories see them?
#	make bench [SHORT=1] [ROWS=n] [ROUNDS=n] [WORKLOADS=...] [CONTENDERS=...] [MAJOR=18]
#	                   what decoding costs, beside other plugins; see bench/README.md
#	make bench-gate [SHORT=1] [MAJOR=18]
#	                   fails when the speed that README promises is missed
#	make bench-kafka [SHORT=1] [ROWS=n] [ROUNDS=n] [CONTENDERS=...] [RATES=...] [PEER=...]
#	                   from the log into Kafka, beside Debezium and other pipelines
#	make plugin, make shipper, make install-plugin, make install-shipper
#	                   one of the two alone

PG_CONFIG ?= pg_config
prefix ?= /usr/local
TOP := $(dir $(lastword $(MAKEFILE_LIST)))
PLUGIN = $(MAKE) -f pgxs.mk with_llvm=no PG_CONFIG='$(PG_CONFIG)'
SHIPPER = $(MAKE) -C shipper
INSTALL = install

PROGRAM = $(prefix)/bin/wal2kafka
MANUAL = $(prefix)/share/man/man1/wal2kafka.1
SAMPLE = $(prefix)/share/doc/wal2kafka/wal2kafka.conf.sample
UNIT = $(prefix)/lib/systemd/system/wal2kafka.service

all: plugin shipper

plugin:
	$(PLUGIN) all

shipper:
	$(SHIPPER) all

install: install-plugin install-shipper

install-plugin: plugin
	$(PLUGIN) install

install-shipper: shipper
	$(INSTALL) -D -m 755 shipper/wal2kafka '$(DESTDIR)$(PROGRAM)'
	$(INSTALL) -D -m 644 shipper/wal2kafka.1 '$(DESTDIR)$(MANUAL)'
	$(INSTALL) -D -m 644 wal2kafka.conf.sample '$(DESTDIR)$(SAMPLE)'
	$(INSTALL) -D -m 644 packaging/wal2kafka.service '$(DESTDIR)$(UNIT)'
	sed -i 's|^ExecStart=[^ ]*|ExecStart=$(PROGRAM)|' '$(DESTDIR)$(UNIT)'

uninstall:
	$(PLUGIN) uninstall
	rm -f '$(DESTDIR)$(PROGRAM)' '$(DESTDIR)$(MANUAL)' \
		'$(DESTDIR)$(SAMPLE)' '$(DESTDIR)$(UNIT)'

clean:
	$(PLUGIN) clean
	$(SHIPPER) clean
	rm -rf build

check:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)test/check'

check-all:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)test/check' --all

check-long:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)test/check' --long

chaos:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)test/long/run-chaos' $(MAJOR)

mutants:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)test/check' --long $@

bench-gate:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)bench/run' gate $(MAJOR)

bench:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)bench/run' component $(MAJOR)

bench-kafka:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)bench/run' kafka $(MAJOR)

demo:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)demo/run'

help:
	@sed -n 's/^#	//p' '$(firstword $(MAKEFILE_LIST))'

.PHONY: all plugin shipper install install-plugin install-shipper uninstall \
	clean check check-all check-long chaos mutants bench bench-gate \
	bench-kafka demo help
