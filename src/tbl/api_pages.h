/* SPDX-License-Identifier: PostgreSQL
 *
 * What /api/PAGE.json holds.
 *
 * API_PAGE(page, doc): begins a page.
 * API_SHOW(key, command, doc): the rows of a console command.
 * API_OWN(key, writer, doc): a value of the daemon's own, by
 * void writer(const struct control *c, struct json *j) in admin/api_own.h.
 */
#ifndef API_PAGE
#define API_PAGE(page, doc)
#endif
#ifndef API_SHOW
#define API_SHOW(key, command, doc)
#endif
#ifndef API_OWN
#define API_OWN(key, writer, doc)
#endif

API_PAGE(overview, "Traffic, hit ratio, latency, pools, backends, feeds")
API_OWN(process, api_process, "Version, state, time since the start, and whether actions are possible")
API_OWN(counters, api_counters, "Counters since the start by name, as `SHOW COUNTERS`")
API_OWN(histograms, api_histograms, "Latency of each route: count, sum, quantiles, buckets that are not empty")
API_SHOW(latency, "SHOW LATENCY", "By route, variant, backend and outcome")
API_SHOW(databases, "SHOW DATABASES", "Databases")
API_SHOW(pools, "SHOW POOLS", "Pools")
API_SHOW(backends, "SHOW BACKENDS", "Backends")
API_SHOW(replicas, "SHOW REPLICAS", "Replicas")
API_SHOW(feeds, "SHOW FEEDS", "Feeds")
API_SHOW(cache, "SHOW CACHE", "Cache: memory, Redis, lookups, reasons for bypass, rules")

API_PAGE(routes, "Where statements go, and what they cost")
API_OWN(process, api_process, "As above")
API_OWN(histograms, api_histograms, "As above")
API_SHOW(routes, "SHOW ROUTES", "Routed tables and their variants")
API_SHOW(latency, "SHOW LATENCY", "By route, variant, backend and outcome")
API_SHOW(shapes, "SHOW SHAPES", "Statement shapes (track_shapes)")

API_PAGE(cache, "The cache, its rules, and whether caching pays")
API_OWN(process, api_process, "As above")
API_OWN(counters, api_counters, "As above")
API_SHOW(cache, "SHOW CACHE", "Memory, Redis, lookups, reasons for bypass, rules")
API_SHOW(shapes, "SHOW CACHE SHAPES", "Hot shapes, and what the governor decided")
API_SHOW(hot_keys, "SHOW HOT KEYS", "Results that are hit most, lately")
API_SHOW(candidates, "SHOW CACHE CANDIDATES", "Statements that a rule would save time for, with the rule")
API_SHOW(keys, "SHOW CACHE KEYS", "Columns by which results are told apart")
API_SHOW(tables, "SHOW CACHE TABLES", "Tables of rules")
API_SHOW(watches, "SHOW WATCHES", "Connections that look at catalogs")
API_SHOW(feeds, "SHOW FEEDS", "Feeds")

API_PAGE(shards, "Layouts, shards, partitions")
API_OWN(process, api_process, "As above")
API_SHOW(layouts, "SHOW LAYOUTS", "What catalogs say of variants")
API_SHOW(shards, "SHOW SHARDS", "Hash partitions")
API_SHOW(partitions, "SHOW PARTITIONS", "Tables that hold rows, by time")

API_PAGE(experiments, "Experiments, their arms, and what may be said of them")
API_OWN(process, api_process, "As above")
API_OWN(experiments, api_experiments, "Each with state and reason; by arm, for all statements and for each shape: counts, quantiles, the ratio of times to the control's with its interval, statements still missing, ruling, buckets that are not empty")

API_PAGE(sessions, "Clients and servers")
API_OWN(process, api_process, "As above")
API_SHOW(clients, "SHOW CLIENTS", "Client connections")
API_SHOW(servers, "SHOW SERVERS", "Connections to backends")
API_SHOW(workers, "SHOW WORKERS", "Worker threads")
API_SHOW(lists, "SHOW LISTS", "How many of each there are")

API_PAGE(config, "What is configured; secrets are masked")
API_OWN(process, api_process, "As above")
API_SHOW(settings, "SHOW CONFIG", "Settings in force")
API_SHOW(databases, "SHOW DATABASES", "Databases")
API_SHOW(users, "SHOW USERS", "Users")
API_SHOW(listeners, "SHOW LISTENERS", "Servers that LISTEN for many clients")

#undef API_PAGE
#undef API_SHOW
#undef API_OWN
