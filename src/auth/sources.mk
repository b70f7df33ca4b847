# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/auth/authfile.c \
	src/auth/authfile.h \
	src/auth/base64.c \
	src/auth/base64.h \
	src/auth/hba.c \
	src/auth/hba.h \
	src/auth/hba_ident.c \
	src/auth/hba_net.c \
	src/auth/hba_parse.c \
	src/auth/hba_priv.h \
	src/auth/lookup.c \
	src/auth/lookup.h \
	src/auth/lookup_cache.c \
	src/auth/lookup_conn.c \
	src/auth/lookup_priv.h \
	src/auth/saslprep.c \
	src/auth/saslprep.h \
	src/auth/scram.c \
	src/auth/scram.h \
	src/auth/secret.c \
	src/auth/secret.h \
	src/auth/tokens.c \
	src/auth/tokens.h \
	src/auth/userdb.c \
	src/auth/userdb.h \
	src/auth/work.c \
	src/auth/work.h
