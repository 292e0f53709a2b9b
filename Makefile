# Drives both products and every check.  The plugin and the extension are built
# by the server's build system (pgxs.mk), the shipper by an ordinary makefile.
#
#	make					build wal2kafka.so and shipper/wal2kafka
#	make install			into the server of PG_CONFIG; the program beside psql
#	make demo				see it work, on a throwaway server and broker
#	make check				every test on the default server, and the regression
#							tests on all other majors
#	make check-all			every test on every major

PG_CONFIG ?= pg_config
TOP := $(dir $(lastword $(MAKEFILE_LIST)))
PLUGIN = $(MAKE) -f pgxs.mk with_llvm=no PG_CONFIG='$(PG_CONFIG)'
SHIPPER = $(MAKE) -C shipper
INSTALL = install
bindir = $(shell $(PG_CONFIG) --bindir)
mandir = $(shell $(PG_CONFIG) --mandir)

all:
	$(PLUGIN) all
	$(SHIPPER) all

install: all
	$(PLUGIN) install
	$(INSTALL) -D -m 755 shipper/wal2kafka '$(DESTDIR)$(bindir)/wal2kafka'
	$(INSTALL) -D -m 644 shipper/wal2kafka.1 \
		'$(DESTDIR)$(mandir)/man1/wal2kafka.1'

uninstall:
	$(PLUGIN) uninstall
	rm -f '$(DESTDIR)$(bindir)/wal2kafka' \
		'$(DESTDIR)$(mandir)/man1/wal2kafka.1'

clean:
	$(PLUGIN) clean
	$(SHIPPER) clean
	rm -rf build

check:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)test/check'

check-all:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)test/check' --all

demo:
	@PG_CONFIG='$(PG_CONFIG)' '$(TOP)demo/run'

help:
	@sed -n 's/^#	//p' '$(firstword $(MAKEFILE_LIST))'

.PHONY: all install uninstall clean check check-all demo help
