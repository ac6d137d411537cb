/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device counts, in debugfs. Counters (stats) only grow, see
 * module/stats.c; figures of the pool and the store are what there is now.
 */
#ifndef MMAPDEMO_COUNTERS_H
#define MMAPDEMO_COUNTERS_H

#include "files.h"
#include "harness.h"

/*
 * The device under test: mmapdemo, or another one that devices=N has made, which
 * the environment names: MMAPDEMO_DEVICE=mmapdemo1.
 */
static inline const char *device_name(void)
{
	const char *name = getenv("MMAPDEMO_DEVICE");

	return name && *name ? name : "mmapdemo";
}

/* A path with its name in it. */
#define DEVICE_FILE(format) ({						\
	static char path_[128];						\
									\
	snprintf(path_, sizeof(path_), format, device_name());		\
	path_;								\
})

#define STATS		DEVICE_FILE("/sys/kernel/debug/%s/stats")
#define POOL		DEVICE_FILE("/sys/kernel/debug/%s/pool")

/* A figure of the page pool and the store, in pages. */
static inline long pool_read(const char *name)
{
	return read_figure(POOL, name);
}

/* How many of @name there have been. */
static inline long stat_read(const char *name)
{
	return read_figure(STATS, name);
}

/* The faults that the device has served, of whatever kind. */
static inline long faults_served(void)
{
	return stat_read("fault_read") + stat_read("fault_write") +
	       stat_read("fault_cow") + stat_read("map_pages");
}

/* All counters as they were at one time. */
struct counters {
	char text[2048];
};

static inline void counters_start(struct counters *c)
{
	int fd = open(STATS, O_RDONLY);
	ssize_t len = read(fd, c->text, sizeof(c->text) - 1);

	close(fd);
	if (len <= 0 || len == sizeof(c->text) - 1)
		abort();
	c->text[len] = '\0';
}

/* By how much @name has grown since. */
static inline long counted(const struct counters *since, const char *name)
{
	const size_t len = strlen(name);
	const char *line = since->text;

	while (line && (strncmp(line, name, len) || !strchr(": \t", line[len]))) {
		line = strchr(line, '\n');
		line += !!line;
	}
	if (!line)
		abort();
	return stat_read(name) - atol(line + len + 1);
}

struct count {
	const char *name;
	long by;
};

/* Expects that counters have grown by that since: { "mkwrite", 1 }, ... */
#define EXPECT_COUNTED(since, ...) do {					\
	const struct count counts_[] = { __VA_ARGS__ };			\
	size_t i_;							\
									\
	/* The braces count: the harness's macro is two statements. */	\
	for (i_ = 0; i_ < ARRAY_SIZE(counts_); i_++) {			\
		EXPECT_EQ(counts_[i_].by,				\
			  counted(since, counts_[i_].name))		\
			TH_LOG("counter %s", counts_[i_].name);		\
	}								\
} while (0)

/* The same of what has been since the last look. */
#define EXPECT_COUNTED_ANEW(since, ...) do {				\
	EXPECT_COUNTED(since, __VA_ARGS__);				\
	counters_start(since);						\
} while (0)

#endif /* MMAPDEMO_COUNTERS_H */
