# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/feed/ask.c \
	src/feed/beats.c \
	src/feed/beats.h \
	src/feed/change.c \
	src/feed/change.h \
	src/feed/feed.c \
	src/feed/feed.h \
	src/feed/feed_priv.h \
	src/feed/follow.c \
	src/feed/gate.c \
	src/feed/gate.h \
	src/feed/gate_names.c \
	src/feed/link.c \
	src/feed/link.h \
	src/feed/pgoutput.c \
	src/feed/pgoutput.h \
	src/feed/relations.c \
	src/feed/relations.h \
	src/feed/settle.c \
	src/feed/settle.h \
	src/feed/stream.c \
	src/feed/tables.c
