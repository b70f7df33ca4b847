# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/net/addr.c \
	src/net/addr.h \
	src/net/kdf.c \
	src/net/kdf.h \
	src/net/listener.c \
	src/net/listener.h \
	src/net/stream.c \
	src/net/stream.h \
	src/net/tcp.c \
	src/net/tcp.h \
	src/net/tls.c \
	src/net/tls.h \
	src/net/tls_peer.c \
	src/net/tls_peer.h
