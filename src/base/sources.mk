# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/base/buf.c \
	src/base/buf.h \
	src/base/check.c \
	src/base/check.h \
	src/base/clock.h \
	src/base/hash.c \
	src/base/hash.h \
	src/base/htab.c \
	src/base/htab.h \
	src/base/json.c \
	src/base/json.h \
	src/base/log.c \
	src/base/log.h \
	src/base/logesc.c \
	src/base/planted.c \
	src/base/planted.h \
	src/base/slice.h
