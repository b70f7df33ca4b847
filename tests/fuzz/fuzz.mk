# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

EXTRA_DIST += \
	tests/fuzz/corpus/answer \
	tests/fuzz/corpus/bound \
	tests/fuzz/corpus/command \
	tests/fuzz/corpus/conf \
	tests/fuzz/corpus/expiry \
	tests/fuzz/corpus/frame \
	tests/fuzz/corpus/hba \
	tests/fuzz/corpus/import \
	tests/fuzz/corpus/keep \
	tests/fuzz/corpus/l2_entry \
	tests/fuzz/corpus/ledger \
	tests/fuzz/corpus/lex \
	tests/fuzz/corpus/msgread \
	tests/fuzz/corpus/parcel \
	tests/fuzz/corpus/parse \
	tests/fuzz/corpus/pgoutput \
	tests/fuzz/corpus/rows \
	tests/fuzz/corpus/scram \
	tests/fuzz/corpus/startup \
	tests/fuzz/corpus/trace \
	tests/fuzz/corpus/trailer \
	tests/fuzz/corpus/unit \
	tests/fuzz/corpus/userdb \
	tests/fuzz/corpus/value \
	tests/fuzz/corpus/warm
FUZZ_REPLAYS = \
	tests/fuzz/replay_answer \
	tests/fuzz/replay_bound \
	tests/fuzz/replay_command \
	tests/fuzz/replay_conf \
	tests/fuzz/replay_expiry \
	tests/fuzz/replay_frame \
	tests/fuzz/replay_hba \
	tests/fuzz/replay_import \
	tests/fuzz/replay_keep \
	tests/fuzz/replay_l2_entry \
	tests/fuzz/replay_ledger \
	tests/fuzz/replay_lex \
	tests/fuzz/replay_msgread \
	tests/fuzz/replay_parcel \
	tests/fuzz/replay_parse \
	tests/fuzz/replay_pgoutput \
	tests/fuzz/replay_rows \
	tests/fuzz/replay_scram \
	tests/fuzz/replay_startup \
	tests/fuzz/replay_trace \
	tests/fuzz/replay_trailer \
	tests/fuzz/replay_unit \
	tests/fuzz/replay_userdb \
	tests/fuzz/replay_value \
	tests/fuzz/replay_warm
FUZZERS = \
	tests/fuzz/fuzz_answer \
	tests/fuzz/fuzz_bound \
	tests/fuzz/fuzz_command \
	tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_expiry \
	tests/fuzz/fuzz_frame \
	tests/fuzz/fuzz_hba \
	tests/fuzz/fuzz_import \
	tests/fuzz/fuzz_keep \
	tests/fuzz/fuzz_l2_entry \
	tests/fuzz/fuzz_ledger \
	tests/fuzz/fuzz_lex \
	tests/fuzz/fuzz_msgread \
	tests/fuzz/fuzz_parcel \
	tests/fuzz/fuzz_parse \
	tests/fuzz/fuzz_pgoutput \
	tests/fuzz/fuzz_rows \
	tests/fuzz/fuzz_scram \
	tests/fuzz/fuzz_startup \
	tests/fuzz/fuzz_trace \
	tests/fuzz/fuzz_trailer \
	tests/fuzz/fuzz_unit \
	tests/fuzz/fuzz_userdb \
	tests/fuzz/fuzz_value \
	tests/fuzz/fuzz_warm
check_PROGRAMS += $(FUZZ_REPLAYS)
TESTS += $(FUZZ_REPLAYS)
EXTRA_PROGRAMS += $(FUZZERS)
if ENABLE_FUZZING
noinst_PROGRAMS += $(FUZZERS)
endif

tests_fuzz_replay_answer_SOURCES = tests/fuzz/fuzz_answer.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c
tests_fuzz_fuzz_answer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_bound_SOURCES = tests/fuzz/fuzz_bound.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_bound_SOURCES = tests/fuzz/fuzz_bound.c
tests_fuzz_fuzz_bound_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_command_SOURCES = tests/fuzz/fuzz_command.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_command_SOURCES = tests/fuzz/fuzz_command.c
tests_fuzz_fuzz_command_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_conf_SOURCES = tests/fuzz/fuzz_conf.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_expiry_SOURCES = tests/fuzz/fuzz_expiry.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_expiry_SOURCES = tests/fuzz/fuzz_expiry.c
tests_fuzz_fuzz_expiry_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_frame_SOURCES = tests/fuzz/fuzz_frame.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_hba_SOURCES = tests/fuzz/fuzz_hba.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_hba_SOURCES = tests/fuzz/fuzz_hba.c
tests_fuzz_fuzz_hba_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_import_SOURCES = tests/fuzz/fuzz_import.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_import_SOURCES = tests/fuzz/fuzz_import.c
tests_fuzz_fuzz_import_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_keep_SOURCES = tests/fuzz/fuzz_keep.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_keep_SOURCES = tests/fuzz/fuzz_keep.c
tests_fuzz_fuzz_keep_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_l2_entry_SOURCES = tests/fuzz/fuzz_l2_entry.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_l2_entry_SOURCES = tests/fuzz/fuzz_l2_entry.c
tests_fuzz_fuzz_l2_entry_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_ledger_SOURCES = tests/fuzz/fuzz_ledger.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_ledger_SOURCES = tests/fuzz/fuzz_ledger.c
tests_fuzz_fuzz_ledger_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_lex_SOURCES = tests/fuzz/fuzz_lex.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_lex_SOURCES = tests/fuzz/fuzz_lex.c
tests_fuzz_fuzz_lex_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_msgread_SOURCES = tests/fuzz/fuzz_msgread.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_msgread_SOURCES = tests/fuzz/fuzz_msgread.c
tests_fuzz_fuzz_msgread_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_parcel_SOURCES = tests/fuzz/fuzz_parcel.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_parcel_SOURCES = tests/fuzz/fuzz_parcel.c
tests_fuzz_fuzz_parcel_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_parse_SOURCES = tests/fuzz/fuzz_parse.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_parse_SOURCES = tests/fuzz/fuzz_parse.c
tests_fuzz_fuzz_parse_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_pgoutput_SOURCES = tests/fuzz/fuzz_pgoutput.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_pgoutput_SOURCES = tests/fuzz/fuzz_pgoutput.c
tests_fuzz_fuzz_pgoutput_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_rows_SOURCES = tests/fuzz/fuzz_rows.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_rows_SOURCES = tests/fuzz/fuzz_rows.c
tests_fuzz_fuzz_rows_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_scram_SOURCES = tests/fuzz/fuzz_scram.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_scram_SOURCES = tests/fuzz/fuzz_scram.c
tests_fuzz_fuzz_scram_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_startup_SOURCES = tests/fuzz/fuzz_startup.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_startup_SOURCES = tests/fuzz/fuzz_startup.c
tests_fuzz_fuzz_startup_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_trace_SOURCES = tests/fuzz/fuzz_trace.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_trace_SOURCES = tests/fuzz/fuzz_trace.c
tests_fuzz_fuzz_trace_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_trailer_SOURCES = tests/fuzz/fuzz_trailer.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_trailer_SOURCES = tests/fuzz/fuzz_trailer.c
tests_fuzz_fuzz_trailer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_unit_SOURCES = tests/fuzz/fuzz_unit.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_unit_SOURCES = tests/fuzz/fuzz_unit.c
tests_fuzz_fuzz_unit_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_userdb_SOURCES = tests/fuzz/fuzz_userdb.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_userdb_SOURCES = tests/fuzz/fuzz_userdb.c
tests_fuzz_fuzz_userdb_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_value_SOURCES = tests/fuzz/fuzz_value.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_value_SOURCES = tests/fuzz/fuzz_value.c
tests_fuzz_fuzz_value_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer

tests_fuzz_replay_warm_SOURCES = tests/fuzz/fuzz_warm.c \
	tests/fuzz/replay_main.c
tests_fuzz_fuzz_warm_SOURCES = tests/fuzz/fuzz_warm.c
tests_fuzz_fuzz_warm_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
