# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/experiment/answer.c \
	src/experiment/answer.h \
	src/experiment/assign.c \
	src/experiment/assign.h \
	src/experiment/board.c \
	src/experiment/board.h \
	src/experiment/failures.c \
	src/experiment/failures.h \
	src/experiment/figure.h \
	src/experiment/groups.c \
	src/experiment/groups.h \
	src/experiment/keep.h \
	src/experiment/keep_read.c \
	src/experiment/keep_write.c \
	src/experiment/mirror.c \
	src/experiment/mirror.h \
	src/experiment/quantile.c \
	src/experiment/quantile.h \
	src/experiment/ratio.c \
	src/experiment/ratio.h \
	src/experiment/report.c \
	src/experiment/report.h \
	src/experiment/report_chart.c \
	src/experiment/report_chart.h \
	src/experiment/report_page.c \
	src/experiment/report_page.h \
	src/experiment/report_text.c \
	src/experiment/report_text.h \
	src/experiment/sequence.c \
	src/experiment/sequence.h \
	src/experiment/tally.c \
	src/experiment/tally.h \
	src/experiment/unitset.c \
	src/experiment/unitset.h \
	src/experiment/verdict.c \
	src/experiment/verdict.h
