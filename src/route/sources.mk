# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/route/apart.c \
	src/route/array.c \
	src/route/confine.c \
	src/route/decide.c \
	src/route/everything.c \
	src/route/expiry.c \
	src/route/expiry.h \
	src/route/explain.c \
	src/route/gap.c \
	src/route/gather.c \
	src/route/gather.h \
	src/route/gather_final.c \
	src/route/gather_mode.c \
	src/route/gather_priv.h \
	src/route/hint.c \
	src/route/hint.h \
	src/route/key.c \
	src/route/month.c \
	src/route/month.h \
	src/route/named.c \
	src/route/named.h \
	src/route/period.c \
	src/route/plan.c \
	src/route/portion.c \
	src/route/portion.h \
	src/route/reasons.c \
	src/route/replica.c \
	src/route/rewrite.c \
	src/route/route.h \
	src/route/route_priv.h \
	src/route/shards.h \
	src/route/table.c \
	src/route/tenant.c \
	src/route/tenant.h \
	src/route/tenant_value.c \
	src/route/times.c \
	src/route/touch.c \
	src/route/touch.h \
	src/route/translate.c \
	src/route/translate.h \
	src/route/value.c \
	src/route/verdict.c
