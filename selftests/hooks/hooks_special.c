// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves what the flags of special mappings (VM_IO, VM_PFNMAP, VM_MIXEDMAP,
 * VM_DONTEXPAND) forbid: mremap, madvise, and get_user_pages in its many
 * forms; and what get_user_pages makes of a fault that fails.
 *
 * The ids (O09, M01, ...) name the branches of mmap that a test proves.
 * Needs: see hooks.h.
 */
#include "hooks.h"

#include <linux/io_uring.h>
#include <sys/uio.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

HOOKS_FIXTURE(hooks_special, HOOKS)

/* Return: 4 pages of a file of their own, with @settings. */
static char *map_set(struct __test_metadata *_metadata, int *fd,
		     const char *settings, int flags)
{
	*fd = open(HOOKS, O_RDWR);
	ASSERT_LE(0, *fd);
	EXPECT_EQ(0, hooks_set(*fd, settings))
		TH_LOG("%s", settings);
	return map(_metadata, *fd, RW, flags, 0, 4);
}

static const char * const no_expand[] = {
	"vm_flags dontexpand", "vm_flags pfnmap",
};

TEST_F(hooks_special, O04_O09_no_growth)
{
	size_t i, len = 4 * page_size;
	char *p;
	int fd;

	for (i = 0; i < ARRAY_SIZE(no_expand); i++) {
		p = map_set(_metadata, &fd, no_expand[i], MAP_SHARED);
		/* O09, in place or not */
		EXPECT_EQ(MAP_FAILED, mremap(p, len, 2 * len, 0));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(MAP_FAILED, mremap(p, len, 2 * len, MREMAP_MAYMOVE));
		EXPECT_EQ(EFAULT, errno);
		/* O04: a second mapping of the same */
		EXPECT_EQ(MAP_FAILED, mremap(p, 0, len, MREMAP_MAYMOVE));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(0, hooks_read(fd, "open"));
		/* A move is no growth. */
		p = mremap(p, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			   reserve(_metadata, 4));
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(hooks_letter(3), p[3 * page_size]);
		close(fd);
	}
	/* The contrast: VM_IO alone does not forbid it. */
	p = map_set(_metadata, &fd, "vm_flags io", MAP_SHARED);
	p = mremap(p, 0, len, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(1, hooks_read(fd, "open"));
	EXPECT_EQ(hooks_letter(3), p[3 * page_size]);
}

TEST_F(hooks_special, O16_no_dontunmap)
{
	size_t i, len = 4 * page_size;
	char *p;
	int fd;

	for (i = 0; i < ARRAY_SIZE(no_expand); i++) {
		p = map_set(_metadata, &fd, no_expand[i], MAP_SHARED);
		EXPECT_EQ(MAP_FAILED, mremap(p, len, len, MREMAP_MAYMOVE |
					     MREMAP_DONTUNMAP));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(hooks_letter(0), *p);
		close(fd);
	}
}

/*
 * The place to go to is cleared before 6.1 and 6.12 find out that the mapping
 * may not grow; 7.3 looks first.
 */
TEST_F(hooks_special, O18_destination_of_failed_mremap)
{
	char *there = reserve(_metadata, 8);
	size_t len = 4 * page_size;
	char *p;
	int fd;

	p = map_set(_metadata, &fd, "vm_flags dontexpand", MAP_SHARED);
	EXPECT_EQ(MAP_FAILED, mremap(p, len, 2 * len,
				     MREMAP_MAYMOVE | MREMAP_FIXED, there));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(hooks_letter(0), *p);
	if (kernel_before(7, 0))
		EXPECT_TRAP(there, -1, SIGSEGV, SEGV_MAPERR, there);
	else
		EXPECT_TRAP(there, -1, SIGSEGV, SEGV_ACCERR, there);
}

/* Told, but its answer does not matter. */
TEST_F(hooks_special, Q03_willneed_calls_fadvise)
{
	char *p;
	int fd;

	p = map_set(_metadata, &fd, "fadvise -5", MAP_SHARED);
	EXPECT_EQ(0, madvise(p, 4 * page_size, MADV_WILLNEED));
	EXPECT_EQ(1, hooks_read(fd, "fadvise"));
	EXPECT_EQ(0, hooks_read(fd, "fault"));
	/* By its own name it is passed on. */
	EXPECT_EQ(EIO, posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	EXPECT_EQ(2, hooks_read(fd, "fadvise"));
}

/* Flags of the mapping, in the order of the columns below. */
static const char * const special[] = {
	"vm_flags plain", "vm_flags io", "vm_flags pfnmap",
	"vm_flags mixedmap", "vm_flags dontexpand",
};

struct advice {
	const char *name;
	int advice;
	int error[ARRAY_SIZE(special)];
};

static void expect_advice(struct __test_metadata *_metadata,
			  const struct advice *a)
{
	size_t i;
	char *p;
	int fd;

	for (i = 0; i < ARRAY_SIZE(special); i++) {
		p = map_set(_metadata, &fd, special[i], MAP_SHARED);
		read_pages(p, 4);
		errno = 0;
		EXPECT_EQ(a->error[i] ? -1 : 0,
			  madvise(p, 4 * page_size, a->advice))
			TH_LOG("%s, %s", a->name, special[i]);
		EXPECT_EQ(a->error[i], errno)
			TH_LOG("%s, %s", a->name, special[i]);
		EXPECT_EQ(hooks_letter(3), p[3 * page_size]);
		munmap(p, 4 * page_size);
		close(fd);
	}
}

static const struct advice advices[] = {
	/*				plain, io, pfnmap, mixed, dontexpand */
	/* Q05 */
	{ "DONTNEED", MADV_DONTNEED,	{ 0, 0, EINVAL, 0, 0 } },
	/* Q09 */
	{ "DONTDUMP", MADV_DONTDUMP,	{ 0, 0, 0, 0, 0 } },
	{ "DODUMP", MADV_DODUMP,	{ 0, EINVAL, EINVAL, EINVAL, EINVAL } },
	/* Q08 */
	{ "DONTFORK", MADV_DONTFORK,	{ 0, 0, 0, 0, 0 } },
	/* Q12 */
	{ "COLD", MADV_COLD,		{ 0, 0, EINVAL, 0, 0 } },
	{ "PAGEOUT", MADV_PAGEOUT,	{ 0, 0, EINVAL, 0, 0 } },
	/* Q13 */
	{ "POPULATE_READ", MADV_POPULATE_READ, { 0, EINVAL, EINVAL, 0, 0 } },
};

TEST_F(hooks_special, Q05_Q08_Q09_Q12_Q13_advice)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(advices); i++)
		expect_advice(_metadata, &advices[i]);
}

/* VM_IO forbids it, since 7.3 any of the special flags. */
TEST_F(hooks_special, Q08_dofork)
{
	int later = kernel_before(7, 0) ? 0 : EINVAL;
	struct advice a = { "DOFORK", MADV_DOFORK,
			    { 0, EINVAL, later, later, later } };

	expect_advice(_metadata, &a);
}

static ssize_t splice_from(void *p, size_t len)
{
	struct iovec iov = { .iov_base = p, .iov_len = len };
	ssize_t ret, error;
	int pipes[2];

	if (pipe(pipes))
		abort();
	ret = vmsplice(pipes[1], &iov, 1, 0);
	error = ret < 0 ? -errno : ret;
	close(pipes[0]);
	close(pipes[1]);
	return error;
}

static ssize_t read_remotely(void *p, char *buf, size_t len)
{
	struct iovec local = { .iov_base = buf, .iov_len = len };
	struct iovec remote = { .iov_base = p, .iov_len = len };
	ssize_t ret = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	return ret < 0 ? -errno : ret;
}

/*
 * Memory that is the device's own cannot be pinned. (That is known of the VMA.
 * get_user_pages_fast() looks at page tables first: an ordinary page that is in
 * one already it may take from a VM_IO mapping. So nothing is touched here.)
 */
TEST_F(hooks_special, M01_get_user_pages)
{
	static const bool ok[ARRAY_SIZE(special)] = {
		true, false, false, true, true,
	};
	char *p, buf[16];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(special); i++) {
		p = map_set(_metadata, &fd, special[i], MAP_SHARED);
		EXPECT_EQ(ok[i] ? 16 : -EFAULT, splice_from(p, 16))
			TH_LOG("%s", special[i]);
		EXPECT_EQ(ok[i] ? 16 : -EFAULT, read_remotely(p, buf, 16))
			TH_LOG("%s", special[i]);
		munmap(p, 4 * page_size);
		close(fd);
	}
	/* Where there is no page to take, touching it changes nothing. */
	p = map_set(_metadata, &fd, "vm_flags pfnmap", MAP_SHARED);
	EXPECT_EQ(hooks_letter(0), *p);
	EXPECT_EQ(-EFAULT, splice_from(p, 16));
	EXPECT_EQ(-EFAULT, read_remotely(p, buf, 16));
}

/* Return: whether @p can be a fixed buffer of io_uring; or an errno. */
static int register_buffer(void *p, size_t len)
{
	struct iovec iov = { .iov_base = p, .iov_len = len };
	struct io_uring_params params = { 0 };
	int ring = syscall(SYS_io_uring_setup, 1, &params);
	int error = 0;

	if (ring < 0)
		return -errno;
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov,
		    1))
		error = -errno;
	else
		syscall(SYS_io_uring_register, ring,
			IORING_UNREGISTER_BUFFERS, NULL, 0);
	close(ring);
	return error;
}

/*
 * What is pinned for long may be written behind the driver's back. If the
 * driver wants to know of writes, that is refused; if not, it is no harm.
 * 6.1 refuses any file's mapping.
 */
TEST_F(hooks_special, M04_long_term_pin)
{
	bool any = kernel_before(6, 12);
	char *p;
	int fd, error;

	p = map_set(_metadata, &fd, "vm_flags plain", MAP_SHARED);
	error = register_buffer(p, 4 * page_size);
	if (error == -ENOSYS)
		SKIP(return, "needs a kernel with CONFIG_IO_URING");
	EXPECT_EQ(any ? -EOPNOTSUPP : 0, error);
	p = map_set(_metadata, &fd, "page_mkwrite locked", MAP_SHARED);
	EXPECT_EQ(any ? -EOPNOTSUPP : -EFAULT,
		  register_buffer(p, 4 * page_size));
	/* 6.1 looks at what it has pinned, the others before they pin. */
	EXPECT_EQ(any ? 4 : 0, hooks_read(fd, "page_mkwrite"));
}

/* What stands for the signal where there is nobody to send it to. */
TEST_F(hooks_special, M05_failed_faults)
{
	static const struct {
		const char *set;
		int populate;
		int splice;
	} c[] = {
		{ "fault sigbus", EFAULT, -EFAULT },
		{ "fault sigsegv", EFAULT, -EFAULT },
		{ "fault oom", ENOMEM, -ENOMEM },
		{ "fault hwpoison", EHWPOISON, -EFAULT },
	};
	size_t i;
	char *p;
	int fd;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		p = map_set(_metadata, &fd, c[i].set, MAP_SHARED);
		errno = 0;
		EXPECT_EQ(-1, madvise(p, 4 * page_size, MADV_POPULATE_READ));
		EXPECT_EQ(c[i].populate, errno)
			TH_LOG("%s", c[i].set);
		EXPECT_EQ(c[i].splice, splice_from(p, 16))
			TH_LOG("%s", c[i].set);
		EXPECT_EQ(2, hooks_read(fd, "fault"))
			TH_LOG("%s", c[i].set);
		/* E10: and where the kernel copies, which may try twice. */
		EXPECT_ERRNO(EFAULT, write(fd, p, 1));
		EXPECT_LE(3, hooks_read(fd, "fault"));
		munmap(p, 4 * page_size);
		close(fd);
	}
}

/* Return: what /proc/self/mem has at @p, or an errno, negative. */
static int peek(char *p)
{
	int fd = open("/proc/self/mem", O_RDWR);
	char byte;
	int ret = pread(fd, &byte, 1, (uintptr_t)p) == 1 ? byte : -errno;

	close(fd);
	return ret;
}

static int poke(char *p, char byte)
{
	int fd = open("/proc/self/mem", O_RDWR);
	int ret = pwrite(fd, &byte, 1, (uintptr_t)p) == 1 ? 0 : -errno;

	close(fd);
	return ret;
}

/*
 * A debugger asks ->access only for what get_user_pages does not give it
 * (__access_remote_vm()): device memory, and pages whose fault fails.
 */
TEST_F(hooks_special, M13_access)
{
	char *p;
	int fd;

	p = map_set(_metadata, &fd, "vm_flags pfnmap", MAP_SHARED);
	EXPECT_EQ(-EIO, peek(p + page_size));
	p = map_set(_metadata, &fd, "vm_flags pfnmap\naccess 0", MAP_SHARED);
	EXPECT_EQ(hooks_letter(1), peek(p + page_size));
	EXPECT_EQ(1, hooks_read(fd, "access"));
	EXPECT_EQ(0, hooks_read(fd, "fault"));
	EXPECT_EQ(0, poke(p + 2 * page_size, 1));
	EXPECT_EQ(2, hooks_read(fd, "access"));
	EXPECT_EQ(1, p[2 * page_size]);

	p = map_set(_metadata, &fd, "fault sigbus", MAP_SHARED);
	EXPECT_EQ(-EIO, peek(p));
	p = map_set(_metadata, &fd, "fault sigbus\naccess 0", MAP_SHARED);
	EXPECT_EQ(hooks_letter(3), peek(p + 3 * page_size));
	EXPECT_EQ(1, hooks_read(fd, "fault"));
	EXPECT_EQ(1, hooks_read(fd, "access"));

	p = map_set(_metadata, &fd, "access 0", MAP_SHARED);
	EXPECT_EQ(hooks_letter(0), peek(p));
	EXPECT_EQ(0, hooks_read(fd, "access"));
}

TEST_HARNESS_MAIN
