# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/ctl/dial.c \
	src/ctl/dial.h \
	src/ctl/explain.c \
	src/ctl/explain.h \
	src/ctl/help.c \
	src/ctl/help.h \
	src/ctl/options.c \
	src/ctl/options.h \
	src/ctl/planner.c \
	src/ctl/planner.h \
	src/ctl/prompt.c \
	src/ctl/prompt.h \
	src/ctl/trouble.c \
	src/ctl/trouble.h
