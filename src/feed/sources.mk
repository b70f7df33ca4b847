# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/feed/pgoutput.c \
	src/feed/pgoutput.h
