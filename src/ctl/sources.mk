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
	src/ctl/look.c \
	src/ctl/look.h \
	src/ctl/options.c \
	src/ctl/options.h \
	src/ctl/page.c \
	src/ctl/page.h \
	src/ctl/page_priv.h \
	src/ctl/page_routes.c \
	src/ctl/page_shapes.c \
	src/ctl/planner.c \
	src/ctl/planner.h \
	src/ctl/prompt.c \
	src/ctl/prompt.h \
	src/ctl/screen.c \
	src/ctl/screen.h \
	src/ctl/shapes.c \
	src/ctl/shapes.h \
	src/ctl/top.c \
	src/ctl/top.h \
	src/ctl/trouble.c \
	src/ctl/trouble.h \
	src/ctl/words.c \
	src/ctl/words.h
