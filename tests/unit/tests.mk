# SPDX-License-Identifier: PostgreSQL
# Written by tests/lint/sources.py --write.

EXTRA_DIST += \
	tests/unit/cache_util.h \
	tests/unit/experiment_util.h \
	tests/unit/l2_util.h \
	tests/unit/route_util.h \
	tests/unit/sql_same.h \
	tests/unit/sql_util.h \
	tests/unit/tenant_known.h \
	tests/unit/wire_util.h
UNIT_TESTS = \
	tests/unit/test_addr \
	tests/unit/test_agree \
	tests/unit/test_answer \
	tests/unit/test_apart \
	tests/unit/test_api \
	tests/unit/test_averages \
	tests/unit/test_base64 \
	tests/unit/test_binary \
	tests/unit/test_bound \
	tests/unit/test_buf \
	tests/unit/test_census \
	tests/unit/test_change \
	tests/unit/test_channel \
	tests/unit/test_checks \
	tests/unit/test_command \
	tests/unit/test_compare \
	tests/unit/test_conf \
	tests/unit/test_confine \
	tests/unit/test_connect_args \
	tests/unit/test_connect_error \
	tests/unit/test_connector \
	tests/unit/test_console \
	tests/unit/test_copy_spec \
	tests/unit/test_copyrows \
	tests/unit/test_credentials \
	tests/unit/test_ctl_options \
	tests/unit/test_ctl_page \
	tests/unit/test_ctl_shapes \
	tests/unit/test_ctl_words \
	tests/unit/test_dbstate \
	tests/unit/test_decide \
	tests/unit/test_doors \
	tests/unit/test_exemplar \
	tests/unit/test_experiment \
	tests/unit/test_expiry \
	tests/unit/test_explain \
	tests/unit/test_feed_stream \
	tests/unit/test_frame \
	tests/unit/test_functions \
	tests/unit/test_gather \
	tests/unit/test_ghost \
	tests/unit/test_gid \
	tests/unit/test_glob \
	tests/unit/test_hash \
	tests/unit/test_hba \
	tests/unit/test_hint \
	tests/unit/test_hist \
	tests/unit/test_hot \
	tests/unit/test_htab \
	tests/unit/test_import \
	tests/unit/test_input \
	tests/unit/test_json \
	tests/unit/test_kdf \
	tests/unit/test_keep \
	tests/unit/test_key \
	tests/unit/test_kin \
	tests/unit/test_l1 \
	tests/unit/test_l2 \
	tests/unit/test_l2_conn \
	tests/unit/test_l2_entry \
	tests/unit/test_l2_keys \
	tests/unit/test_l2_name \
	tests/unit/test_l2_pending \
	tests/unit/test_l2_post \
	tests/unit/test_lag \
	tests/unit/test_ledger \
	tests/unit/test_lex \
	tests/unit/test_life \
	tests/unit/test_limit \
	tests/unit/test_listener \
	tests/unit/test_literal \
	tests/unit/test_log \
	tests/unit/test_lookup \
	tests/unit/test_measure \
	tests/unit/test_metrics \
	tests/unit/test_mirror \
	tests/unit/test_month \
	tests/unit/test_msgread \
	tests/unit/test_msgwrite \
	tests/unit/test_named \
	tests/unit/test_object \
	tests/unit/test_options \
	tests/unit/test_parcel \
	tests/unit/test_parse \
	tests/unit/test_parse_rows \
	tests/unit/test_pgoutput \
	tests/unit/test_plan \
	tests/unit/test_pools \
	tests/unit/test_portion \
	tests/unit/test_prepared \
	tests/unit/test_prometheus \
	tests/unit/test_promote \
	tests/unit/test_quantile \
	tests/unit/test_quota \
	tests/unit/test_relations \
	tests/unit/test_report \
	tests/unit/test_rewrite \
	tests/unit/test_route \
	tests/unit/test_rows_json \
	tests/unit/test_saslprep \
	tests/unit/test_scope \
	tests/unit/test_scram \
	tests/unit/test_secret \
	tests/unit/test_settle \
	tests/unit/test_setup \
	tests/unit/test_shape \
	tests/unit/test_shape_match \
	tests/unit/test_shape_text \
	tests/unit/test_sql_prepared \
	tests/unit/test_stack \
	tests/unit/test_startup \
	tests/unit/test_statement \
	tests/unit/test_stream \
	tests/unit/test_survey \
	tests/unit/test_tags \
	tests/unit/test_tally \
	tests/unit/test_tenant \
	tests/unit/test_touch \
	tests/unit/test_trace \
	tests/unit/test_track \
	tests/unit/test_trailer \
	tests/unit/test_unit \
	tests/unit/test_units \
	tests/unit/test_userdb \
	tests/unit/test_variant \
	tests/unit/test_vars \
	tests/unit/test_verdict \
	tests/unit/test_vouch \
	tests/unit/test_warm \
	tests/unit/test_wishes \
	tests/unit/test_worker \
	tests/unit/test_worth
if HAVE_CMOCKA
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif

tests_unit_test_addr_SOURCES = tests/unit/test_addr.c
tests_unit_test_addr_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_addr_LDADD = $(UNIT_LDADD)

tests_unit_test_agree_SOURCES = tests/unit/test_agree.c
tests_unit_test_agree_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_agree_LDADD = $(UNIT_LDADD)

tests_unit_test_answer_SOURCES = tests/unit/test_answer.c
tests_unit_test_answer_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_answer_LDADD = $(UNIT_LDADD)

tests_unit_test_apart_SOURCES = tests/unit/test_apart.c
tests_unit_test_apart_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_apart_LDADD = $(UNIT_LDADD)

tests_unit_test_api_SOURCES = tests/unit/test_api.c
tests_unit_test_api_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_api_LDADD = $(UNIT_LDADD)

tests_unit_test_averages_SOURCES = tests/unit/test_averages.c
tests_unit_test_averages_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_averages_LDADD = $(UNIT_LDADD)

tests_unit_test_base64_SOURCES = tests/unit/test_base64.c
tests_unit_test_base64_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_base64_LDADD = $(UNIT_LDADD)

tests_unit_test_binary_SOURCES = tests/unit/test_binary.c
tests_unit_test_binary_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_binary_LDADD = $(UNIT_LDADD)

tests_unit_test_bound_SOURCES = tests/unit/test_bound.c
tests_unit_test_bound_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_bound_LDADD = $(UNIT_LDADD)

tests_unit_test_buf_SOURCES = tests/unit/test_buf.c
tests_unit_test_buf_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_buf_LDADD = $(UNIT_LDADD)

tests_unit_test_census_SOURCES = tests/unit/test_census.c
tests_unit_test_census_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_census_LDADD = $(UNIT_LDADD)

tests_unit_test_change_SOURCES = tests/unit/test_change.c
tests_unit_test_change_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_change_LDADD = $(UNIT_LDADD)

tests_unit_test_channel_SOURCES = tests/unit/test_channel.c
tests_unit_test_channel_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_channel_LDADD = $(UNIT_LDADD)

tests_unit_test_checks_SOURCES = tests/unit/test_checks.c
tests_unit_test_checks_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_checks_LDADD = $(UNIT_LDADD)

tests_unit_test_command_SOURCES = tests/unit/test_command.c
tests_unit_test_command_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_command_LDADD = $(UNIT_LDADD)

tests_unit_test_compare_SOURCES = tests/unit/test_compare.c
tests_unit_test_compare_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_compare_LDADD = $(UNIT_LDADD)

tests_unit_test_conf_SOURCES = tests/unit/test_conf.c
tests_unit_test_conf_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_conf_LDADD = $(UNIT_LDADD)

tests_unit_test_confine_SOURCES = tests/unit/test_confine.c
tests_unit_test_confine_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_confine_LDADD = $(UNIT_LDADD)

tests_unit_test_connect_args_SOURCES = tests/unit/test_connect_args.c
tests_unit_test_connect_args_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_connect_args_LDADD = $(UNIT_LDADD)

tests_unit_test_connect_error_SOURCES = tests/unit/test_connect_error.c
tests_unit_test_connect_error_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_connect_error_LDADD = $(UNIT_LDADD)

tests_unit_test_connector_SOURCES = tests/unit/test_connector.c
tests_unit_test_connector_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_connector_LDADD = $(UNIT_LDADD)

tests_unit_test_console_SOURCES = tests/unit/test_console.c
tests_unit_test_console_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_console_LDADD = $(UNIT_LDADD)

tests_unit_test_copy_spec_SOURCES = tests/unit/test_copy_spec.c
tests_unit_test_copy_spec_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_copy_spec_LDADD = $(UNIT_LDADD)

tests_unit_test_copyrows_SOURCES = tests/unit/test_copyrows.c
tests_unit_test_copyrows_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_copyrows_LDADD = $(UNIT_LDADD)

tests_unit_test_credentials_SOURCES = tests/unit/test_credentials.c
tests_unit_test_credentials_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_credentials_LDADD = $(UNIT_LDADD)

tests_unit_test_ctl_options_SOURCES = tests/unit/test_ctl_options.c
tests_unit_test_ctl_options_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ctl_options_LDADD = $(UNIT_LDADD)

tests_unit_test_ctl_page_SOURCES = tests/unit/test_ctl_page.c
tests_unit_test_ctl_page_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ctl_page_LDADD = $(UNIT_LDADD)

tests_unit_test_ctl_shapes_SOURCES = tests/unit/test_ctl_shapes.c
tests_unit_test_ctl_shapes_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ctl_shapes_LDADD = $(UNIT_LDADD)

tests_unit_test_ctl_words_SOURCES = tests/unit/test_ctl_words.c
tests_unit_test_ctl_words_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ctl_words_LDADD = $(UNIT_LDADD)

tests_unit_test_dbstate_SOURCES = tests/unit/test_dbstate.c
tests_unit_test_dbstate_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_dbstate_LDADD = $(UNIT_LDADD)

tests_unit_test_decide_SOURCES = tests/unit/test_decide.c
tests_unit_test_decide_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_decide_LDADD = $(UNIT_LDADD)

tests_unit_test_doors_SOURCES = tests/unit/test_doors.c
tests_unit_test_doors_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_doors_LDADD = $(UNIT_LDADD)

tests_unit_test_exemplar_SOURCES = tests/unit/test_exemplar.c
tests_unit_test_exemplar_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_exemplar_LDADD = $(UNIT_LDADD)

tests_unit_test_experiment_SOURCES = tests/unit/test_experiment.c
tests_unit_test_experiment_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_experiment_LDADD = $(UNIT_LDADD)

tests_unit_test_expiry_SOURCES = tests/unit/test_expiry.c
tests_unit_test_expiry_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_expiry_LDADD = $(UNIT_LDADD)

tests_unit_test_explain_SOURCES = tests/unit/test_explain.c
tests_unit_test_explain_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_explain_LDADD = $(UNIT_LDADD)

tests_unit_test_feed_stream_SOURCES = tests/unit/test_feed_stream.c
tests_unit_test_feed_stream_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_feed_stream_LDADD = $(UNIT_LDADD)

tests_unit_test_frame_SOURCES = tests/unit/test_frame.c
tests_unit_test_frame_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_frame_LDADD = $(UNIT_LDADD)

tests_unit_test_functions_SOURCES = tests/unit/test_functions.c
tests_unit_test_functions_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_functions_LDADD = $(UNIT_LDADD)

tests_unit_test_gather_SOURCES = tests/unit/test_gather.c
tests_unit_test_gather_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_gather_LDADD = $(UNIT_LDADD)

tests_unit_test_ghost_SOURCES = tests/unit/test_ghost.c
tests_unit_test_ghost_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ghost_LDADD = $(UNIT_LDADD)

tests_unit_test_gid_SOURCES = tests/unit/test_gid.c
tests_unit_test_gid_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_gid_LDADD = $(UNIT_LDADD)

tests_unit_test_glob_SOURCES = tests/unit/test_glob.c
tests_unit_test_glob_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_glob_LDADD = $(UNIT_LDADD)

tests_unit_test_hash_SOURCES = tests/unit/test_hash.c
tests_unit_test_hash_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_hash_LDADD = $(UNIT_LDADD)

tests_unit_test_hba_SOURCES = tests/unit/test_hba.c
tests_unit_test_hba_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_hba_LDADD = $(UNIT_LDADD)

tests_unit_test_hint_SOURCES = tests/unit/test_hint.c
tests_unit_test_hint_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_hint_LDADD = $(UNIT_LDADD)

tests_unit_test_hist_SOURCES = tests/unit/test_hist.c
tests_unit_test_hist_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_hist_LDADD = $(UNIT_LDADD)

tests_unit_test_hot_SOURCES = tests/unit/test_hot.c
tests_unit_test_hot_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_hot_LDADD = $(UNIT_LDADD)

tests_unit_test_htab_SOURCES = tests/unit/test_htab.c
tests_unit_test_htab_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_htab_LDADD = $(UNIT_LDADD)

tests_unit_test_import_SOURCES = tests/unit/test_import.c
tests_unit_test_import_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_import_LDADD = $(UNIT_LDADD)

tests_unit_test_input_SOURCES = tests/unit/test_input.c
tests_unit_test_input_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_input_LDADD = $(UNIT_LDADD)

tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_json_LDADD = $(UNIT_LDADD)

tests_unit_test_kdf_SOURCES = tests/unit/test_kdf.c
tests_unit_test_kdf_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_kdf_LDADD = $(UNIT_LDADD)

tests_unit_test_keep_SOURCES = tests/unit/test_keep.c
tests_unit_test_keep_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_keep_LDADD = $(UNIT_LDADD)

tests_unit_test_key_SOURCES = tests/unit/test_key.c
tests_unit_test_key_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_key_LDADD = $(UNIT_LDADD)

tests_unit_test_kin_SOURCES = tests/unit/test_kin.c
tests_unit_test_kin_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_kin_LDADD = $(UNIT_LDADD)

tests_unit_test_l1_SOURCES = tests/unit/test_l1.c
tests_unit_test_l1_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_l1_LDADD = $(UNIT_LDADD)

tests_unit_test_l2_SOURCES = tests/unit/test_l2.c
tests_unit_test_l2_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_l2_LDADD = $(UNIT_LDADD)

tests_unit_test_l2_conn_SOURCES = tests/unit/test_l2_conn.c
tests_unit_test_l2_conn_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_l2_conn_LDADD = $(UNIT_LDADD)

tests_unit_test_l2_entry_SOURCES = tests/unit/test_l2_entry.c
tests_unit_test_l2_entry_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_l2_entry_LDADD = $(UNIT_LDADD)

tests_unit_test_l2_keys_SOURCES = tests/unit/test_l2_keys.c
tests_unit_test_l2_keys_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_l2_keys_LDADD = $(UNIT_LDADD)

tests_unit_test_l2_name_SOURCES = tests/unit/test_l2_name.c
tests_unit_test_l2_name_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_l2_name_LDADD = $(UNIT_LDADD)

tests_unit_test_l2_pending_SOURCES = tests/unit/test_l2_pending.c
tests_unit_test_l2_pending_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_l2_pending_LDADD = $(UNIT_LDADD)

tests_unit_test_l2_post_SOURCES = tests/unit/test_l2_post.c
tests_unit_test_l2_post_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_l2_post_LDADD = $(UNIT_LDADD)

tests_unit_test_lag_SOURCES = tests/unit/test_lag.c
tests_unit_test_lag_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_lag_LDADD = $(UNIT_LDADD)

tests_unit_test_ledger_SOURCES = tests/unit/test_ledger.c
tests_unit_test_ledger_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_ledger_LDADD = $(UNIT_LDADD)

tests_unit_test_lex_SOURCES = tests/unit/test_lex.c
tests_unit_test_lex_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_lex_LDADD = $(UNIT_LDADD)

tests_unit_test_life_SOURCES = tests/unit/test_life.c
tests_unit_test_life_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_life_LDADD = $(UNIT_LDADD)

tests_unit_test_limit_SOURCES = tests/unit/test_limit.c
tests_unit_test_limit_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_limit_LDADD = $(UNIT_LDADD)

tests_unit_test_listener_SOURCES = tests/unit/test_listener.c
tests_unit_test_listener_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_listener_LDADD = $(UNIT_LDADD)

tests_unit_test_literal_SOURCES = tests/unit/test_literal.c
tests_unit_test_literal_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_literal_LDADD = $(UNIT_LDADD)

tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_log_LDADD = $(UNIT_LDADD)

tests_unit_test_lookup_SOURCES = tests/unit/test_lookup.c
tests_unit_test_lookup_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_lookup_LDADD = $(UNIT_LDADD)

tests_unit_test_measure_SOURCES = tests/unit/test_measure.c
tests_unit_test_measure_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_measure_LDADD = $(UNIT_LDADD)

tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c
tests_unit_test_metrics_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_metrics_LDADD = $(UNIT_LDADD)

tests_unit_test_mirror_SOURCES = tests/unit/test_mirror.c
tests_unit_test_mirror_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_mirror_LDADD = $(UNIT_LDADD)

tests_unit_test_month_SOURCES = tests/unit/test_month.c
tests_unit_test_month_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_month_LDADD = $(UNIT_LDADD)

tests_unit_test_msgread_SOURCES = tests/unit/test_msgread.c
tests_unit_test_msgread_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_msgread_LDADD = $(UNIT_LDADD)

tests_unit_test_msgwrite_SOURCES = tests/unit/test_msgwrite.c
tests_unit_test_msgwrite_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_msgwrite_LDADD = $(UNIT_LDADD)

tests_unit_test_named_SOURCES = tests/unit/test_named.c
tests_unit_test_named_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_named_LDADD = $(UNIT_LDADD)

tests_unit_test_object_SOURCES = tests/unit/test_object.c
tests_unit_test_object_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_object_LDADD = $(UNIT_LDADD)

tests_unit_test_options_SOURCES = tests/unit/test_options.c
tests_unit_test_options_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_options_LDADD = $(UNIT_LDADD)

tests_unit_test_parcel_SOURCES = tests/unit/test_parcel.c
tests_unit_test_parcel_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_parcel_LDADD = $(UNIT_LDADD)

tests_unit_test_parse_SOURCES = tests/unit/test_parse.c
tests_unit_test_parse_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_parse_LDADD = $(UNIT_LDADD)

tests_unit_test_parse_rows_SOURCES = tests/unit/test_parse_rows.c
tests_unit_test_parse_rows_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_parse_rows_LDADD = $(UNIT_LDADD)

tests_unit_test_pgoutput_SOURCES = tests/unit/test_pgoutput.c
tests_unit_test_pgoutput_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_pgoutput_LDADD = $(UNIT_LDADD)

tests_unit_test_plan_SOURCES = tests/unit/test_plan.c
tests_unit_test_plan_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_plan_LDADD = $(UNIT_LDADD)

tests_unit_test_pools_SOURCES = tests/unit/test_pools.c
tests_unit_test_pools_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_pools_LDADD = $(UNIT_LDADD)

tests_unit_test_portion_SOURCES = tests/unit/test_portion.c
tests_unit_test_portion_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_portion_LDADD = $(UNIT_LDADD)

tests_unit_test_prepared_SOURCES = tests/unit/test_prepared.c
tests_unit_test_prepared_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_prepared_LDADD = $(UNIT_LDADD)

tests_unit_test_prometheus_SOURCES = tests/unit/test_prometheus.c
tests_unit_test_prometheus_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_prometheus_LDADD = $(UNIT_LDADD)

tests_unit_test_promote_SOURCES = tests/unit/test_promote.c
tests_unit_test_promote_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_promote_LDADD = $(UNIT_LDADD)

tests_unit_test_quantile_SOURCES = tests/unit/test_quantile.c
tests_unit_test_quantile_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_quantile_LDADD = $(UNIT_LDADD)

tests_unit_test_quota_SOURCES = tests/unit/test_quota.c
tests_unit_test_quota_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_quota_LDADD = $(UNIT_LDADD)

tests_unit_test_relations_SOURCES = tests/unit/test_relations.c
tests_unit_test_relations_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_relations_LDADD = $(UNIT_LDADD)

tests_unit_test_report_SOURCES = tests/unit/test_report.c
tests_unit_test_report_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_report_LDADD = $(UNIT_LDADD)

tests_unit_test_rewrite_SOURCES = tests/unit/test_rewrite.c
tests_unit_test_rewrite_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_rewrite_LDADD = $(UNIT_LDADD)

tests_unit_test_route_SOURCES = tests/unit/test_route.c
tests_unit_test_route_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_route_LDADD = $(UNIT_LDADD)

tests_unit_test_rows_json_SOURCES = tests/unit/test_rows_json.c
tests_unit_test_rows_json_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_rows_json_LDADD = $(UNIT_LDADD)

tests_unit_test_saslprep_SOURCES = tests/unit/test_saslprep.c
tests_unit_test_saslprep_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_saslprep_LDADD = $(UNIT_LDADD)

tests_unit_test_scope_SOURCES = tests/unit/test_scope.c
tests_unit_test_scope_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_scope_LDADD = $(UNIT_LDADD)

tests_unit_test_scram_SOURCES = tests/unit/test_scram.c
tests_unit_test_scram_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_scram_LDADD = $(UNIT_LDADD)

tests_unit_test_secret_SOURCES = tests/unit/test_secret.c
tests_unit_test_secret_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_secret_LDADD = $(UNIT_LDADD)

tests_unit_test_settle_SOURCES = tests/unit/test_settle.c
tests_unit_test_settle_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_settle_LDADD = $(UNIT_LDADD)

tests_unit_test_setup_SOURCES = tests/unit/test_setup.c
tests_unit_test_setup_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_setup_LDADD = $(UNIT_LDADD)

tests_unit_test_shape_SOURCES = tests/unit/test_shape.c
tests_unit_test_shape_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_shape_LDADD = $(UNIT_LDADD)

tests_unit_test_shape_match_SOURCES = tests/unit/test_shape_match.c
tests_unit_test_shape_match_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_shape_match_LDADD = $(UNIT_LDADD)

tests_unit_test_shape_text_SOURCES = tests/unit/test_shape_text.c
tests_unit_test_shape_text_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_shape_text_LDADD = $(UNIT_LDADD)

tests_unit_test_sql_prepared_SOURCES = tests/unit/test_sql_prepared.c
tests_unit_test_sql_prepared_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_sql_prepared_LDADD = $(UNIT_LDADD)

tests_unit_test_stack_SOURCES = tests/unit/test_stack.c
tests_unit_test_stack_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_stack_LDADD = $(UNIT_LDADD)

tests_unit_test_startup_SOURCES = tests/unit/test_startup.c
tests_unit_test_startup_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_startup_LDADD = $(UNIT_LDADD)

tests_unit_test_statement_SOURCES = tests/unit/test_statement.c
tests_unit_test_statement_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_statement_LDADD = $(UNIT_LDADD)

tests_unit_test_stream_SOURCES = tests/unit/test_stream.c
tests_unit_test_stream_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_stream_LDADD = $(UNIT_LDADD)

tests_unit_test_survey_SOURCES = tests/unit/test_survey.c
tests_unit_test_survey_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_survey_LDADD = $(UNIT_LDADD)

tests_unit_test_tags_SOURCES = tests/unit/test_tags.c
tests_unit_test_tags_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_tags_LDADD = $(UNIT_LDADD)

tests_unit_test_tally_SOURCES = tests/unit/test_tally.c
tests_unit_test_tally_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_tally_LDADD = $(UNIT_LDADD)

tests_unit_test_tenant_SOURCES = tests/unit/test_tenant.c
tests_unit_test_tenant_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_tenant_LDADD = $(UNIT_LDADD)

tests_unit_test_touch_SOURCES = tests/unit/test_touch.c
tests_unit_test_touch_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_touch_LDADD = $(UNIT_LDADD)

tests_unit_test_trace_SOURCES = tests/unit/test_trace.c
tests_unit_test_trace_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_trace_LDADD = $(UNIT_LDADD)

tests_unit_test_track_SOURCES = tests/unit/test_track.c
tests_unit_test_track_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_track_LDADD = $(UNIT_LDADD)

tests_unit_test_trailer_SOURCES = tests/unit/test_trailer.c
tests_unit_test_trailer_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_trailer_LDADD = $(UNIT_LDADD)

tests_unit_test_unit_SOURCES = tests/unit/test_unit.c
tests_unit_test_unit_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_unit_LDADD = $(UNIT_LDADD)

tests_unit_test_units_SOURCES = tests/unit/test_units.c
tests_unit_test_units_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_units_LDADD = $(UNIT_LDADD)

tests_unit_test_userdb_SOURCES = tests/unit/test_userdb.c
tests_unit_test_userdb_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_userdb_LDADD = $(UNIT_LDADD)

tests_unit_test_variant_SOURCES = tests/unit/test_variant.c
tests_unit_test_variant_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_variant_LDADD = $(UNIT_LDADD)

tests_unit_test_vars_SOURCES = tests/unit/test_vars.c
tests_unit_test_vars_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_vars_LDADD = $(UNIT_LDADD)

tests_unit_test_verdict_SOURCES = tests/unit/test_verdict.c
tests_unit_test_verdict_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_verdict_LDADD = $(UNIT_LDADD)

tests_unit_test_vouch_SOURCES = tests/unit/test_vouch.c
tests_unit_test_vouch_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_vouch_LDADD = $(UNIT_LDADD)

tests_unit_test_warm_SOURCES = tests/unit/test_warm.c
tests_unit_test_warm_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_warm_LDADD = $(UNIT_LDADD)

tests_unit_test_wishes_SOURCES = tests/unit/test_wishes.c
tests_unit_test_wishes_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_wishes_LDADD = $(UNIT_LDADD)

tests_unit_test_worker_SOURCES = tests/unit/test_worker.c
tests_unit_test_worker_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_worker_LDADD = $(UNIT_LDADD)

tests_unit_test_worth_SOURCES = tests/unit/test_worth.c
tests_unit_test_worth_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_test_worth_LDADD = $(UNIT_LDADD)
