/* SPDX-License-Identifier: PostgreSQL
 *
 * Which CHECK constraints prove that a UUIDv7 and a time agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql/agree.h"

#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define OPEN_LO INT64_MIN
#define OPEN_HI INT64_MAX

/* As PostgreSQL 15 prints it. */
#define BITS "(((('x'::text || translate(\"left\"((id)::text, 13), " \
    "'-'::text, ''::text)))::bit(48))::bigint)"
#define COMPUTED "to_timestamp((((" BITS ")::numeric / 1000.0))::double " \
    "precision)"
#define EXTRACT "uuid_extract_timestamp(id)"

static const struct {
	const char *constraint;
	int64_t lo, hi; /* without the millisecond that is allowed for rounding */
} cases[] = {
	{ "CHECK ((at = " EXTRACT "))", 0, 0 },
	{ "CHECK ((" EXTRACT " = at))", 0, 0 },
	{ "CHECK ((at = pg_catalog." EXTRACT "))", 0, 0 },
	{ "CHECK ((at = " COMPUTED "))", 0, 0 },
	{ "CHECK ((at = to_timestamp((" BITS "::double precision / "
	    "(1000)::double precision))))", 0, 0 },
	{ "CHECK ((date_trunc('milliseconds'::text, at) = " EXTRACT "))", 0,
	    MS },
	{ "CHECK ((date_trunc('second'::text, at) <= " COMPUTED "))", OPEN_LO,
	    SECOND },
	{ "CHECK (((at >= (" EXTRACT " - '00:05:00'::interval)) AND (at < ("
	    EXTRACT " + '24:00:00'::interval))))", -300 * SECOND, 24 * HOUR },
	{ "CHECK (((" EXTRACT " - '00:05:00'::interval) < at))",
	    -300 * SECOND, OPEN_HI },
	{ "CHECK (((" EXTRACT " + '00:05:00'::interval) >= at))", OPEN_LO,
	    300 * SECOND },
	/* What stands beside it takes nothing from it. */
	{ "CHECK (((at > " EXTRACT ") AND (v <> 'x'::text) AND (at < now()) "
	    "AND ((v = 'a'::text) OR (v = 'b'::text))))", 0, OPEN_HI },
	{ "CHECK (((at > (" EXTRACT " - '01:00:00'::interval)) AND (at > ("
	    EXTRACT " - '02:00:00'::interval))))", -HOUR, OPEN_HI },

	/* It is not known for all rows. */
	{ "CHECK ((at = " EXTRACT ")) NOT VALID", OPEN_LO, OPEN_HI },
	{ "CHECK ((at = " EXTRACT ")) NO INHERIT", OPEN_LO, OPEN_HI },
	{ "CHECK ((at = " EXTRACT ")) NOT ENFORCED", OPEN_LO, OPEN_HI },
	{ "CHECK (((at = " EXTRACT ") OR (v = 'x'::text)))", OPEN_LO,
	    OPEN_HI },
	{ "CHECK ((NOT (at = " EXTRACT ")))", OPEN_LO, OPEN_HI },
	{ "CHECK ((at <> " EXTRACT "))", OPEN_LO, OPEN_HI },
	/* Other columns, other functions. */
	{ "CHECK ((at = uuid_extract_timestamp(other)))", OPEN_LO, OPEN_HI },
	{ "CHECK ((other = " EXTRACT "))", OPEN_LO, OPEN_HI },
	{ "CHECK ((at = public." EXTRACT "))", OPEN_LO, OPEN_HI },
	{ "CHECK ((at = my_time(id)))", OPEN_LO, OPEN_HI },
	{ "CHECK ((at OPERATOR(public.=) " EXTRACT "))", OPEN_LO, OPEN_HI },
	{ "CHECK ((date_trunc('month'::text, at) = " EXTRACT "))", OPEN_LO,
	    OPEN_HI },
	{ "CHECK ((date_trunc('second'::text, at, 'UTC'::text) = " EXTRACT
	    "))", OPEN_LO, OPEN_HI },
	/* Days have 23 to 25 hours, and months more or less of them. */
	{ "CHECK ((at > (" EXTRACT " - '1 day'::interval)))", OPEN_LO,
	    OPEN_HI },
	{ "CHECK ((at > (" EXTRACT " - '1 mon'::interval)))", OPEN_LO,
	    OPEN_HI },
	{ "CHECK ((at > (" EXTRACT " - '-01:00:00'::interval)))", OPEN_LO,
	    OPEN_HI },
	{ "CHECK ((at > (" EXTRACT " - '999999:00:00'::interval)))", OPEN_LO,
	    OPEN_HI },
	{ "CHECK ((at > (" EXTRACT " - '01:00:00'::interval(0))))", OPEN_LO,
	    OPEN_HI },
	/* Other digits, other units, whole seconds. */
	{ "CHECK ((at = to_timestamp(((((" BITS ")::numeric / 100.0))::double "
	    "precision)))", OPEN_LO, OPEN_HI },
	{ "CHECK ((at = to_timestamp(((" BITS " / 1000))::double "
	    "precision)))", OPEN_LO, OPEN_HI },
	{ "CHECK ((at = to_timestamp(((((((('x'::text || translate(\"left\"(("
	    "id)::text, 12), '-'::text, ''::text)))::bit(48))::bigint)::"
	    "numeric / 1000.0))::double precision)))", OPEN_LO, OPEN_HI },
	{ "CHECK ((at = to_timestamp(((((((('x'::text || translate(\"left\"(("
	    "id)::text, 13), '-'::text, ''::text)))::bit(44))::bigint)::"
	    "numeric / 1000.0))::double precision)))", OPEN_LO, OPEN_HI },
	/* No constraint at all. */
	{ "", OPEN_LO, OPEN_HI }, { "CHECK (", OPEN_LO, OPEN_HI },
	{ "CHECK ()", OPEN_LO, OPEN_HI }, { "CHECK (a); SELECT (b)", OPEN_LO,
	    OPEN_HI },
	{ "UNIQUE (id)", OPEN_LO, OPEN_HI },
	{ "CHECK ((at = " EXTRACT ")) FROM (t)", OPEN_LO, OPEN_HI },
};

static void
test_constraints(void **state PG_UNUSED)
{
	struct agree a;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		agree_init(&a);
		agree_check(&a, cases[i].constraint, "id", "at");
		if (a.lo != (cases[i].lo == OPEN_LO ? OPEN_LO :
		    cases[i].lo - MS) || a.hi != (cases[i].hi == OPEN_HI ?
		    OPEN_HI : cases[i].hi + MS))
			fail_msg("%s: [%lld, %lld]", cases[i].constraint,
			    (long long)a.lo, (long long)a.hi);
	}
}

static void
test_several(void **state PG_UNUSED)
{
	struct agree a;

	agree_init(&a);
	agree_check(&a, "CHECK ((at >= " EXTRACT "))", "id", "at");
	assert_false(agree_is_closed(&a));
	agree_check(&a, "CHECK ((at <= (" EXTRACT " + '01:00:00'::interval)))",
	    "id", "at");
	assert_true(agree_is_closed(&a));
	assert_true(a.lo == -MS && a.hi == HOUR + MS);
	/* No row can satisfy all. */
	agree_check(&a, "CHECK ((at < (" EXTRACT " - '01:00:00'::interval)))",
	    "id", "at");
	assert_false(agree_is_closed(&a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constraints),
		cmocka_unit_test(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
