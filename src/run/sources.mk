# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/run/channel.c \
	src/run/channel.h \
	src/run/shared.c \
	src/run/shared.h \
	src/run/worker.c \
	src/run/worker.h
