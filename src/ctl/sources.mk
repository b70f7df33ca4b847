# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/ctl/capture.c \
	src/ctl/capture.h \
	src/ctl/console.c \
	src/ctl/console.h \
	src/ctl/dial.c \
	src/ctl/dial.h \
	src/ctl/diff.c \
	src/ctl/diff.h \
	src/ctl/explain.c \
	src/ctl/explain.h \
	src/ctl/help.c \
	src/ctl/help.h \
	src/ctl/itinerary.c \
	src/ctl/itinerary.h \
	src/ctl/options.c \
	src/ctl/options.h \
	src/ctl/planner.c \
	src/ctl/planner.h \
	src/ctl/prompt.c \
	src/ctl/prompt.h \
	src/ctl/shapes.c \
	src/ctl/shapes.h \
	src/ctl/trouble.c \
	src/ctl/trouble.h \
	src/ctl/words.c \
	src/ctl/words.h
