# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/admin/act.c \
	src/admin/admin.c \
	src/admin/admin.h \
	src/admin/averages.c \
	src/admin/averages.h \
	src/admin/command.c \
	src/admin/command.h \
	src/admin/console.c \
	src/admin/console.h \
	src/admin/control.c \
	src/admin/control.h \
	src/admin/doors.c \
	src/admin/doors.h \
	src/admin/ending.c \
	src/admin/ending.h \
	src/admin/exposition.c \
	src/admin/exposition.h \
	src/admin/exposition_layout.c \
	src/admin/exposition_priv.h \
	src/admin/http.c \
	src/admin/http.h \
	src/admin/layouts.c \
	src/admin/layouts.h \
	src/admin/layouts_log.c \
	src/admin/names.c \
	src/admin/names.h \
	src/admin/options.c \
	src/admin/options.h \
	src/admin/parts.c \
	src/admin/parts.h \
	src/admin/pools.c \
	src/admin/pools.h \
	src/admin/prometheus.c \
	src/admin/prometheus.h \
	src/admin/rows.c \
	src/admin/rows.h \
	src/admin/setup.c \
	src/admin/setup.h \
	src/admin/show.c \
	src/admin/show_cache_keys.c \
	src/admin/show_conf.c \
	src/admin/show_layout.c \
	src/admin/show_pools.c \
	src/admin/show_sockets.c \
	src/admin/show_stats.c \
	src/admin/tour.c \
	src/admin/tour.h \
	src/admin/view.c \
	src/admin/view.h \
	src/admin/wait.c \
	src/admin/wait.h
