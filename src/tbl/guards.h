/* SPDX-License-Identifier: PostgreSQL
 *
 * GUARD(symbol, name, doc): why an experiment is stopped by itself. */
GUARD(NONE, none, "No guard has fired.")
GUARD(ERRORS, errors, "The arm's share of statements that fail is over `stop_if_error_ratio` times the control's, by an interval that errs with 1 %.")
GUARD(P95, p95, "The arm's p95 is over `stop_if_p95_ratio` times the control's, by an interval that errs with 1 %.")
#undef GUARD
