// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves which special mappings are in a core dump, by the faults that the
 * dump takes to get at their pages.
 *
 * The ids (M15) name the branches of mmap that a test proves.
 * Needs: a kernel with CONFIG_COREDUMP; see hooks.h.
 */
#include "hooks.h"

#include <sys/resource.h>

#define CORE	"/tmp/mmapdemo-core"

/* Bits of coredump_filter, see core(5). */
#define DUMP_NOTHING	"0"
#define DUMP_SHARED	"8"

HOOKS_FIXTURE(hooks_core, HOOKS)

static bool map_pages(void *fd)
{
	return mmap(NULL, 4 * page_size, PROT_READ, MAP_SHARED, *(int *)fd, 0) !=
	       MAP_FAILED;
}

/*
 * Return: how many faults the core dump of a child took, which has mapped 4
 * pages with @settings and touched none; -1: there was no dump.
 */
static long dumped_pages(const char *settings, const char *filter, long *names)
{
	int fd = open(HOOKS, O_RDWR);
	const struct core_dump dump = { filter, map_pages, &fd };
	bool dumped;

	if (hooks_set(fd, settings))
		return -1;
	dumped = dump_core(CORE, &dump);
	unlink(CORE);
	*names = hooks_read(fd, "name");
	return dumped ? hooks_read(fd, "fault") : -1;
}

TEST_F(hooks_core, M15_core_dump)
{
	static const struct {
		const char *settings;
		const char *filter;
		long pages;
		bool named;
	} c[] = {
		{ "vm_flags plain", DUMP_SHARED, 4, false },
		{ "vm_flags plain", DUMP_NOTHING, 0, false },
		{ "vm_flags dontdump", DUMP_SHARED, 0, false },
		{ "vm_flags io", DUMP_SHARED, 0, false },
		/* Whatever the filter says, and the flag. */
		{ "name 0", DUMP_NOTHING, 4, true },
		{ "name 0\nvm_flags dontdump", DUMP_NOTHING, 4, true },
	};
	size_t i;
	long names;

	if (access(CORE_PATTERN, W_OK))
		SKIP(return, "needs a kernel with CONFIG_COREDUMP");
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		EXPECT_EQ(c[i].pages, dumped_pages(c[i].settings, c[i].filter,
						   &names))
			TH_LOG("%s, filter %s", c[i].settings, c[i].filter);
		EXPECT_EQ(c[i].named, names > 0);
	}
}

TEST_HARNESS_MAIN
