# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

libpgsluice_a_SOURCES += \
	src/sql/agree.h \
	src/sql/analysis.c \
	src/sql/analysis.h \
	src/sql/copy_spec.h \
	src/sql/copyrows.c \
	src/sql/copyrows.h \
	src/sql/explain.c \
	src/sql/functions.c \
	src/sql/functions.h \
	src/sql/kinds.c \
	src/sql/lex.c \
	src/sql/lex.h \
	src/sql/literal.c \
	src/sql/parse.c \
	src/sql/parse_agree.c \
	src/sql/parse_apart.c \
	src/sql/parse_copy.c \
	src/sql/parse_from.c \
	src/sql/parse_identity.c \
	src/sql/parse_levels.c \
	src/sql/parse_preds.c \
	src/sql/parse_priv.h \
	src/sql/parse_rows.c \
	src/sql/parse_scope.c \
	src/sql/parse_split.c \
	src/sql/parse_split_item.c \
	src/sql/parse_split_priv.h \
	src/sql/parse_stmt.c \
	src/sql/parse_tables.c \
	src/sql/parse_util.c \
	src/sql/parse_values.c \
	src/sql/parse_walk.c \
	src/sql/parse_where.c \
	src/sql/prepared.c \
	src/sql/prepared.h \
	src/sql/scan.c \
	src/sql/scan.h \
	src/sql/shape.c \
	src/sql/shape.h \
	src/sql/shape_match.c \
	src/sql/shape_match.h \
	src/sql/shape_text.c \
	src/sql/shape_text.h \
	src/sql/split.c \
	src/sql/split.h \
	src/sql/textpos.c \
	src/sql/tokens.c \
	src/sql/tokens.h \
	src/sql/trace.c \
	src/sql/trace.h \
	src/sql/trailer.c \
	src/sql/trailer.h
