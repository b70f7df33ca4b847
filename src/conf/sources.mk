# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/conf/conf.c \
	src/conf/conf.h \
	src/conf/conf_priv.h \
	src/conf/conninfo.c \
	src/conf/deps.c \
	src/conf/deps.h \
	src/conf/deps_use.c \
	src/conf/diag.c \
	src/conf/diff.c \
	src/conf/digest.c \
	src/conf/digest.h \
	src/conf/ident.c \
	src/conf/ident.h \
	src/conf/keys.c \
	src/conf/layout.c \
	src/conf/layout.h \
	src/conf/names.c \
	src/conf/parse_scan.c \
	src/conf/parse_tree.c \
	src/conf/parse_value.c \
	src/conf/places.c \
	src/conf/query.c \
	src/conf/rows.c \
	src/conf/schema.c \
	src/conf/secret.c \
	src/conf/tag_key.c \
	src/conf/trial.c \
	src/conf/trial.h \
	src/conf/units.c \
	src/conf/units.h \
	src/conf/validate_backend.c \
	src/conf/validate_cache.c \
	src/conf/validate_check.c \
	src/conf/validate_experiment.c \
	src/conf/validate_log.c \
	src/conf/validate_peer.c \
	src/conf/validate_replicas.c \
	src/conf/validate_settings.c \
	src/conf/validate_table.c \
	src/conf/variant.c \
	src/conf/view.c \
	src/conf/vouch.c \
	src/conf/vouch.h \
	src/conf/wishes.c \
	src/conf/wishes.h
