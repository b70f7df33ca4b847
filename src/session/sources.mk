# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/session/acquire.c \
	src/session/app_name.c \
	src/session/cancel.c \
	src/session/compose.c \
	src/session/console.c \
	src/session/console.h \
	src/session/console_ext.c \
	src/session/dbstate.c \
	src/session/dbstate.h \
	src/session/effects.c \
	src/session/extended.c \
	src/session/farewell.c \
	src/session/farewell.h \
	src/session/fill.c \
	src/session/fill.h \
	src/session/identity.c \
	src/session/input.c \
	src/session/layer.c \
	src/session/layer.h \
	src/session/listen.c \
	src/session/listen.h \
	src/session/local.c \
	src/session/login.c \
	src/session/login.h \
	src/session/notify.c \
	src/session/overview.c \
	src/session/physical.c \
	src/session/pins.c \
	src/session/plans.c \
	src/session/promote.c \
	src/session/promote.h \
	src/session/proof.c \
	src/session/query.c \
	src/session/quota.c \
	src/session/quota.h \
	src/session/read.c \
	src/session/relay.c \
	src/session/repeat.c \
	src/session/secret.c \
	src/session/sequence.c \
	src/session/session.c \
	src/session/session_priv.h \
	src/session/settings.c \
	src/session/settings.h \
	src/session/sql_prepared.c \
	src/session/startup.c \
	src/session/statement.c \
	src/session/statement.h \
	src/session/unit.c
