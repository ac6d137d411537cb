/* SPDX-License-Identifier: GPL-2.0-only */
/* mmapdemo_hooks.ko, whose hooks answer as a test tells them (kunit/hooks.c). */
#ifndef MMAPDEMO_HOOKS_H
#define MMAPDEMO_HOOKS_H

#include "mmapdemo_test.h"
#include "other_module.h"

#define HOOKS		"/dev/mmapdemo_hooks"
#define HOOKS_BARE	"/dev/mmapdemo_hooks_bare"
#define HOOKS_PREPARE	"/dev/mmapdemo_hooks_prepare"

#define RW	(PROT_READ | PROT_WRITE)

static struct other_module hooks_module = {
	.name = "mmapdemo_hooks", .variable = "MMAPDEMO_HOOKS_KO",
};

/* Return: an open @node, as it is at first. */
static inline int hooks_setup(struct __test_metadata *_metadata,
			      const char *node)
{
	int fd;

	if (!other_module_find(&hooks_module))
		SKIP_TEST("needs mmapdemo_hooks.ko in MMAPDEMO_HOOKS_KO");
	if (!strcmp(node, HOOKS_PREPARE) && kernel_before(7, 3))
		SKIP_TEST("needs Linux 7.3: mmap_action");
	process_setup();
	ASSERT_EQ(0, other_module_load(&hooks_module))
		TH_LOG("insmod: %s", strerror(errno));
	fd = open(node, O_RDWR);
	ASSERT_LE(0, fd);
	return fd;
}

/* A FIXTURE with an open @node of the module. */
#define HOOKS_FIXTURE(fixture, node)					\
	FIXTURE(fixture) {						\
		int fd;							\
	};								\
	FIXTURE_SETUP(fixture)						\
	{								\
		self->fd = hooks_setup(_metadata, node);		\
	}								\
	/* In the parent: the test's mappings are gone. */		\
	FIXTURE_TEARDOWN_PARENT(fixture)				\
	{								\
		EXPECT_EQ(0, other_module_unload(&hooks_module))	\
			TH_LOG("rmmod: %s", strerror(errno));		\
	}

/* Changes settings, in lines "NAME VALUE". Return: 0, or an errno, negative. */
static inline int hooks_set(int fd, const char *lines)
{
	ssize_t len = strlen(lines);

	return write(fd, lines, len) == len ? 0 : -errno;
}

/* A counter or a result. */
static inline long hooks_read(int fd, const char *name)
{
	size_t len = strlen(name);
	char text[2048] = "", *line;

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		abort();
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, name, len) && line[len] == ':')
			return strtoll(line + len + 1, NULL, 10);
	fprintf(stderr, "%s: no line \"%s\"\n", HOOKS, name);
	abort();
}

/* Page @pgoff of an open file is full of this letter. */
static inline char hooks_letter(size_t pgoff)
{
	return 'a' + pgoff % 26;
}

/* Return: the errno of an mmap that should fail; 0: it did not. */
static inline int hooks_mmap_errno(int fd, void *addr, size_t nr, int flags)
{
	void *p = mmap(addr, nr * page_size, PROT_READ, flags, fd, 0);

	return p == MAP_FAILED ? errno : 0;
}

#endif /* MMAPDEMO_HOOKS_H */
