# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/backend/connect_args.c \
	src/backend/connect_args.h \
	src/backend/connect_error.c \
	src/backend/connect_error.h \
	src/backend/connector.c \
	src/backend/connector.h \
	src/backend/credentials.c \
	src/backend/credentials.h \
	src/backend/hub.c \
	src/backend/hub.h \
	src/backend/hub_priv.h \
	src/backend/hub_server.c \
	src/backend/hub_table.c \
	src/backend/ledger.c \
	src/backend/ledger.h \
	src/backend/lessee.c \
	src/backend/lessee.h \
	src/backend/limit.c \
	src/backend/limit.h \
	src/backend/outlet.c \
	src/backend/outlet.h \
	src/backend/pool.c \
	src/backend/pool.h \
	src/backend/pool_all.c \
	src/backend/pool_connect.c \
	src/backend/pool_priv.h \
	src/backend/pool_room.c \
	src/backend/pool_table.c \
	src/backend/prepared.c \
	src/backend/prepared.h \
	src/backend/scope.c \
	src/backend/scope.h \
	src/backend/server.c \
	src/backend/server.h \
	src/backend/server_input.c \
	src/backend/server_priv.h \
	src/backend/vars.c \
	src/backend/vars.h
