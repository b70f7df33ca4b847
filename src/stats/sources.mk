# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/stats/census.c \
	src/stats/census.h \
	src/stats/exemplar.c \
	src/stats/exemplar.h \
	src/stats/hist.c \
	src/stats/hist.h \
	src/stats/metrics.c \
	src/stats/metrics.h
