/* SPDX-License-Identifier: PostgreSQL
 *
 * RULING(symbol, name, doc): what may be said of an arm of an experiment
 * against the control. */
RULING(CONTROL, control, "The control itself.")
RULING(UNDECIDED, undecided, "Not enough is known yet; `missing` says about how many statements more it takes.")
RULING(FASTER, faster, "The geometric mean of its times is lower, by the interval.")
RULING(SLOWER, slower, "The geometric mean of its times is higher, by the interval.")
RULING(SAME, same, "No difference that is larger than `effect`, by the interval.")
#undef RULING
