# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/auth/base64.c \
	src/auth/base64.h \
	src/auth/scram.c \
	src/auth/scram.h \
	src/auth/userdb.c \
	src/auth/userdb.h
