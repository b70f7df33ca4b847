/* SPDX-License-Identifier: PostgreSQL
 * HARMLESS_SETTING(name): settings that change neither the rows of a result
 * nor what a statement means.  Any other one that a session has set is part of
 * its cache keys and of the names its statements have on servers. */
HARMLESS_SETTING(application_name)
HARMLESS_SETTING(client_min_messages)
HARMLESS_SETTING(effective_cache_size)
HARMLESS_SETTING(idle_in_transaction_session_timeout)
HARMLESS_SETTING(idle_session_timeout)
HARMLESS_SETTING(jit)
HARMLESS_SETTING(lock_timeout)
HARMLESS_SETTING(log_min_duration_statement)
HARMLESS_SETTING(maintenance_work_mem)
HARMLESS_SETTING(statement_timeout)
HARMLESS_SETTING(synchronous_commit)
HARMLESS_SETTING(tcp_user_timeout)
HARMLESS_SETTING(work_mem)
#undef HARMLESS_SETTING
