/* SPDX-License-Identifier: PostgreSQL
 *
 * CACHE_WISH(symbol, setting, doc): settings of a session that say what it
 * wants of the cache.  They belong to no extension: PostgreSQL takes any setting
 * whose name has a dot, and does nothing with it. */
CACHE_WISH(CACHE, "pgsluice.cache", "`on` or `off`: whether its statements may be answered from the cache, and their results stored")
CACHE_WISH(MAX_STALENESS, "pgsluice.max_staleness", "a time, as in `2s`: older results are not for it, however long their rule keeps them; `0` is `off`")
#undef CACHE_WISH
