/* SPDX-License-Identifier: PostgreSQL
 *
 * BOARD_COUNT(symbol, name, doc): what is counted of each arm of an experiment,
 * besides its statements. */
BOARD_COUNT(UNSERVED, unserved, "Statements of the arm's units that some arm cannot serve: the control had them, and nobody's times count.")
BOARD_COUNT(ASTRAY, astray, "Statements that ran on another arm than their unit's, because their transaction or server was there; they are not measured.")
BOARD_COUNT(UNITLESS, unitless, "Statements that name no unit, or several: the control had them, and they are not measured.")
BOARD_COUNT(WRITES, writes, "Statements of the arm's units that write, and went to the control; they are not measured.")
BOARD_COUNT(COMPARED, compared, "Answers that were compared with the control's.")
BOARD_COUNT(MISMATCHES, mismatches, "Of these, those that were different though the control's stayed the same.")
BOARD_COUNT(INCONCLUSIVE, inconclusive, "Of these, those where the control's answer had changed meanwhile.")
BOARD_COUNT(DROPPED, dropped, "Statements that the arm was not asked on the side, because too many waited, or no server was free.")
BOARD_COUNT(MIRRORED, mirrored, "Transactions of the control that the arm was given behind it, with the same effect.")
BOARD_COUNT(DIVERGED, diverged, "Transactions that failed on the arm, or concerned another number of rows there.")
BOARD_COUNT(UNMIRRORED, unmirrored, "Statements that write, or may, and that the arm could not be given.")
BOARD_COUNT(UNSURE, unsure, "Statements that it was given, and that may have had another effect there: they ask for what is not the same twice, or their place among others is not certain.")
BOARD_COUNT(BEHIND, behind, "Statements of the arm's units that the control had, because the arm had not got yet what their session had written; they are not measured.")
#undef BOARD_COUNT
