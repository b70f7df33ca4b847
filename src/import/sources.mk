# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/import/import.c \
	src/import/import.h \
	src/import/import_block.c \
	src/import/import_priv.h \
	src/import/import_setting.c \
	src/import/import_users.c \
	src/import/import_value.c \
	src/import/ini.c \
	src/import/ini.h \
	src/import/pairs.c \
	src/import/pairs.h
