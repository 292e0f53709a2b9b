# Plugin and extension, built and tested by the server's own build system.
# In a makefile of its own because PGXS owns the target "check".

version := $(shell sed -n 's/^	"version": "\(.*\)",$$/\1/p' META.json)

MODULE_big = wal2kafka
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard plugin/*.c)))
EXTENSION = wal2kafka
DATA = sql/wal2kafka--1.0.sql
PG_CPPFLAGS = -DWAL2KAFKA_VERSION='"$(version)"' -Wextra \
	-Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers

REGRESS = setup options identity toast size key_change columns publication filter \
	column_list truncate \
	types scalars statements ddl \
	session labels routes routing peek preview snapshot messages origin
tmp_install = $(CURDIR)/tmp_install
REGRESS_OPTS = --temp-instance=./tmp_check_regress --temp-config=tmp.conf \
	--bindir='$(tmp_install)$(bindir)' --encoding=UTF8 --no-locale
specs = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION = $(filter-out $(left_out),$(specs))
ISOLATION_OPTS = --inputdir=test --temp-instance=./tmp_check_isolation \
	--temp-config=tmp.conf --bindir='$(tmp_install)$(bindir)' \
	--encoding=UTF8 --no-locale
EXTRA_CLEAN = tmp.conf tmp_install tmp_check_regress tmp_check_isolation \
	plugin/*.o plugin/*.bc

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
# bitcode for the JIT compiler helps no output plugin, and wants clang
override with_llvm = no
include $(PGXS)

$(OBJS): $(wildcard plugin/*.h shipper/frame.[ch] shipper/lsn.h) META.json

# A server that finds its files relative to its own program: the extension
# can be created in it without anything being installed on the machine.
.PHONY: tmp_install
tmp_install: all
	rm -rf '$(tmp_install)'
	mkdir -p '$(tmp_install)$(bindir)' '$(tmp_install)$(pkglibdir)' \
		'$(tmp_install)$(datadir)'
	cp '$(bindir)'/* '$(tmp_install)$(bindir)'
	cp -as '$(pkglibdir)/.' '$(tmp_install)$(pkglibdir)'
	cp -as '$(datadir)/.' '$(tmp_install)$(datadir)'
	rm -f '$(tmp_install)$(pkglibdir)/wal2kafka.so' \
		'$(tmp_install)$(datadir)/extension/wal2kafka'*
	$(MAKE) -f pgxs.mk install DESTDIR='$(tmp_install)' \
		PG_CONFIG='$(PG_CONFIG)' >/dev/null

# The allow-list only where the server knows it: elsewhere an unknown
# setting would keep it from starting.
tmp.conf: test/logical.conf
	cp $< $@
	if '$(bindir)/postgres' --describe-config | \
		grep -q '^output_plugin_libraries'; then \
		echo "output_plugin_libraries = 'wal2kafka, pgoutput, test_decoding'" >>$@; fi

# Scenarios that servers before these minors get wrong, with any plugin: they
# remove catalog rows still needed, and begin in the midst of a transaction.
mended.15 = 13
mended.16 = 9
mended.17 = 5
minor = $(or $(word 2,$(subst ., ,$(VERSION))),99)
left_out = $(shell [ '$(minor)' -ge '$(or $(mended.$(MAJORVERSION)),0)' ] || \
	echo forward_xmin skip_snapshot_restore)

.PHONY: say_left_out
say_left_out:
	@[ -z '$(left_out)' ] || echo '# left out on $(VERSION): $(left_out)'

installcheck: tmp_install tmp.conf say_left_out
