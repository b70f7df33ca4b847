# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/pgwire/binary.c \
	src/pgwire/binary.h \
	src/pgwire/frame.h \
	src/pgwire/msgread.c \
	src/pgwire/msgread.h \
	src/pgwire/msgwrite.c \
	src/pgwire/msgwrite.h \
	src/pgwire/startup.c
