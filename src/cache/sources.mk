# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/cache/compare.c \
	src/cache/compare.h \
	src/cache/ghost.c \
	src/cache/ghost.h \
	src/cache/glob.c \
	src/cache/glob.h \
	src/cache/hot.c \
	src/cache/hot.h \
	src/cache/key.c \
	src/cache/key.h \
	src/cache/l1.c \
	src/cache/l1.h \
	src/cache/l1_account.c \
	src/cache/l1_fifo.c \
	src/cache/l1_fill.c \
	src/cache/l1_memo.c \
	src/cache/l1_priv.h \
	src/cache/l2.c \
	src/cache/l2.h \
	src/cache/l2_conn.c \
	src/cache/l2_drop.c \
	src/cache/l2_entry.c \
	src/cache/l2_keys.c \
	src/cache/l2_keys.h \
	src/cache/l2_lease.c \
	src/cache/l2_login.c \
	src/cache/l2_name.c \
	src/cache/l2_own.c \
	src/cache/l2_pending.c \
	src/cache/l2_place.c \
	src/cache/l2_post.c \
	src/cache/l2_post.h \
	src/cache/l2_priv.h \
	src/cache/l2_seal.c \
	src/cache/l2_server.c \
	src/cache/l2_track.c \
	src/cache/l2_track.h \
	src/cache/l2_wire.c \
	src/cache/life.c \
	src/cache/life.h \
	src/cache/live.h \
	src/cache/object.c \
	src/cache/object.h \
	src/cache/tags.c \
	src/cache/tags.h \
	src/cache/track.c \
	src/cache/track.h \
	src/cache/warm.c \
	src/cache/warm.h \
	src/cache/worth.c \
	src/cache/worth.h
