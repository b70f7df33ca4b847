# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/layout/ask.c \
	src/layout/ask.h \
	src/layout/bound.c \
	src/layout/bound.h \
	src/layout/call.c \
	src/layout/call.h \
	src/layout/checks.c \
	src/layout/checks.h \
	src/layout/facts.c \
	src/layout/facts.h \
	src/layout/gid.c \
	src/layout/gid.h \
	src/layout/job.c \
	src/layout/job.h \
	src/layout/kin.c \
	src/layout/kin.h \
	src/layout/kin_close.c \
	src/layout/kin_text.c \
	src/layout/lag.c \
	src/layout/lag.h \
	src/layout/resolve.c \
	src/layout/resolve.h \
	src/layout/standby.c \
	src/layout/standby.h \
	src/layout/survey.c \
	src/layout/survey.h \
	src/layout/survey_address.c \
	src/layout/survey_agree.c \
	src/layout/survey_effect.c \
	src/layout/survey_key.c \
	src/layout/survey_shards.c \
	src/layout/tag_key.c \
	src/layout/tag_key.h \
	src/layout/watch.c \
	src/layout/watch.h \
	src/layout/watch_look.c \
	src/layout/watch_look.h
