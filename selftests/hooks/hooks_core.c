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

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

/* Bits of coredump_filter, see core(5). */
#define DUMP_NOTHING	"0"
#define DUMP_SHARED	"8"

HOOKS_FIXTURE(hooks_core, HOOKS)

struct dump {
	int fd;
	const char *filter;
};

static int map_and_abort(void *arg)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const struct dump *dump = arg;

	if (setrlimit(RLIMIT_CORE, &unlimited) ||
	    write_file("/proc/self/coredump_filter", dump->filter) ||
	    mmap(NULL, 4 * page_size, PROT_READ, MAP_SHARED, dump->fd, 0) ==
	    MAP_FAILED)
		return 1;
	abort();
}

/*
 * Return: how many faults the core dump of a child took, which has mapped 4
 * pages with @settings and touched none; -1: there was no dump.
 */
static long dumped_pages(const char *settings, const char *filter, long *names)
{
	struct dump dump = { .fd = open(HOOKS, O_RDWR), .filter = filter };
	char old[256], core[64];
	int status = -1;
	pid_t pid;

	snprintf(core, sizeof(core), "/tmp/mmapdemo-core-%d", getpid());
	if (hooks_set(dump.fd, settings) ||
	    read_file(CORE_PATTERN, old, sizeof(old)) ||
	    write_file(CORE_PATTERN, core))
		return -1;
	pid = fork();
	if (!pid)
		_exit(map_and_abort(&dump));
	waitpid(pid, &status, 0);
	write_file(CORE_PATTERN, old);
	unlink(core);
	/* With the pid behind it where core_uses_pid says so. */
	snprintf(core, sizeof(core), "/tmp/mmapdemo-core-%d.%d", getpid(), pid);
	unlink(core);

	*names = hooks_read(dump.fd, "name");
	if (!WIFSIGNALED(status) || !WCOREDUMP(status))
		return -1;
	return hooks_read(dump.fd, "fault");
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
