# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/tbl/api_actions.h \
	src/tbl/api_pages.h \
	src/tbl/auth_methods.h \
	src/tbl/blocks.h \
	src/tbl/board_counts.h \
	src/tbl/bypass_reasons.h \
	src/tbl/cache_wishes.h \
	src/tbl/close_reasons.h \
	src/tbl/console_commands.h \
	src/tbl/console_roles.h \
	src/tbl/counters.h \
	src/tbl/dbstats.h \
	src/tbl/feed_states.h \
	src/tbl/function_effects.h \
	src/tbl/functions.h \
	src/tbl/gather_modes.h \
	src/tbl/guards.h \
	src/tbl/harmless_settings.h \
	src/tbl/import_pgbouncer.h \
	src/tbl/key_types.h \
	src/tbl/layout_facts.h \
	src/tbl/lease_outcomes.h \
	src/tbl/metric_families.h \
	src/tbl/operators.h \
	src/tbl/output_settings.h \
	src/tbl/owed.h \
	src/tbl/pin_reasons.h \
	src/tbl/planted_bugs.h \
	src/tbl/replica_reasons.h \
	src/tbl/replica_states.h \
	src/tbl/reported.h \
	src/tbl/rulings.h \
	src/tbl/server_states.h \
	src/tbl/session_states.h \
	src/tbl/settings.h \
	src/tbl/spread_phases.h \
	src/tbl/sql_nodes.h \
	src/tbl/stay_reasons.h \
	src/tbl/stmt_kinds.h \
	src/tbl/table_traits.h \
	src/tbl/untracked_settings.h
