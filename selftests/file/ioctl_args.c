// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves that whatever an ioctl is given, it answers with an error that its
 * header has, that a call that failed has changed nothing, and that the device
 * is intact in the end. Each test runs as a 64-bit program calls, and as a
 * 32-bit one does.
 *
 * Needs: see mmapdemo_test.h; for 32 bits x86_64 and CONFIG_IA32_EMULATION.
 */
#include "mmapdemo_test.h"
#include "syscalls.h"

#include <time.h>

/* Pages that hold data, and how large the device is meanwhile. */
#define STORED	4
#define NR	64

FIXTURE(ioctl_args) {
	struct device dev;
	int fd, ro, wo;
	char *arg, *readonly, *none;	/* pages for arguments */
	struct mmapdemo_info info;	/* as it shall stay */
};

FIXTURE_VARIANT(ioctl_args) {
	caller_t call;
};

FIXTURE_VARIANT_ADD(ioctl_args, native) {
	.call = call_64,
};

#ifdef __x86_64__
FIXTURE_VARIANT_ADD(ioctl_args, compat) {
	.call = call_32,
};
#endif

FIXTURE_SETUP(ioctl_args)
{
	if (!can_call(variant->call))
		SKIP(return, "needs CONFIG_IA32_EMULATION");
	device_setup(_metadata, &self->dev, false);
	self->fd = self->dev.fd;
	self->ro = open(DEVICE, O_RDONLY);
	self->wo = open(DEVICE, O_WRONLY);
	ASSERT_LE(0, self->ro);
	ASSERT_LE(0, self->wo);
	self->arg = low_pages(3);
	ASSERT_NE(MAP_FAILED, (void *)self->arg);
	self->readonly = self->arg + page_size;
	self->none = self->readonly + page_size;
	ASSERT_EQ(0, mprotect(self->readonly, page_size, PROT_READ));
	ASSERT_EQ(0, mprotect(self->none, page_size, PROT_NONE));
	ASSERT_EQ(0, resize(self->fd, NR));
	ASSERT_TRUE(fill(self->fd, 0, STORED, 0));
	self->info = device_info(self->fd);
}

FIXTURE_TEARDOWN(ioctl_args)
{
	EXPECT_EQ(0, resize(self->fd, self->dev.nr_pages));
	device_teardown(_metadata, &self->dev);
}

/* An argument of any command: the longest of them, as it lies in memory. */
union argument {
	struct mmapdemo_info info;
	struct mmapdemo_resize resize;
	struct mmapdemo_discard discard;
	struct mmapdemo_dirty_log log;
	__u64 word[6];
};

struct attempt {
	unsigned int cmd;
	int fd;
	char *arg;
	union argument in;
};

static bool is_changing(const struct attempt *try)
{
	switch (try->cmd) {
	case MMAPDEMO_IOC_RESIZE:
	case MMAPDEMO_IOC_DISCARD:
		return true;
	case MMAPDEMO_IOC_DIRTY_LOG:
		return try->in.log.flags & MMAPDEMO_DIRTY_LOG_CLEAR;
	default:
		return false;
	}
}

/* What the header says of an argument's fields, other than its pointers. */
static bool is_valid(const union argument *in, unsigned int cmd)
{
	__u64 page = page_size, max = largest_size(), start, len;

	switch (cmd) {
	case MMAPDEMO_IOC_RESIZE:
		return in->resize.size && in->resize.size % page == 0 &&
		       in->resize.size <= max && !in->resize.flags &&
		       !in->resize.pad;
	case MMAPDEMO_IOC_DISCARD:
		max = NR * page;
		if (in->discard.flags || in->discard.pad)
			return false;
		break;
	case MMAPDEMO_IOC_DIRTY_LOG:
		if (in->log.flags & ~MMAPDEMO_DIRTY_LOG_CLEAR ||
		    !in->log.nr_extents)
			return false;
		break;
	default:
		return true;
	}
	start = in->word[0];
	len = in->word[1];
	return len && start % page == 0 && len % page == 0 &&
	       len <= max && start <= max - len;
}

/* Return: whether @ret is an answer that the header allows. */
static bool is_documented(const FIXTURE_DATA(ioctl_args) *self,
			  const struct attempt *try, long ret)
{
	bool no_right = try->fd < 0 ||
			(try->fd == self->ro && is_changing(try));
	bool readable = try->arg == self->arg || try->arg == self->readonly;

	switch (ret) {
	case 0:
		return !no_right && readable && is_valid(&try->in, try->cmd);
	case -EINVAL:
		return readable && !is_valid(&try->in, try->cmd);
	case -EBADF:
		return no_right;
	case -EFAULT:
		/* With a good argument, its array may be bad. */
		return try->arg != self->arg ||
		       try->cmd == MMAPDEMO_IOC_DIRTY_LOG;
	default:
		return false;
	}
}

/* Makes the device again what it was, and checks that it is. */
static void restore(struct __test_metadata *_metadata,
		    FIXTURE_DATA(ioctl_args) *self)
{
	struct mmapdemo_info info;

	ASSERT_EQ(0, resize(self->fd, NR));
	ASSERT_EQ(0, discard(self->fd, 0, NR));
	ASSERT_TRUE(fill(self->fd, 0, STORED, 0));
	info = device_info(self->fd);
	ASSERT_EQ(0, memcmp(&info, &self->info, sizeof(info)));
}

static void attempt(struct __test_metadata *_metadata,
		    FIXTURE_DATA(ioctl_args) *self, struct attempt *try,
		    const FIXTURE_VARIANT(ioctl_args) *variant)
{
	struct mmapdemo_info info;
	long ret;

	/* Where it can be written, it is what the caller says it is. */
	if (try->arg == self->arg)
		memcpy(try->arg, &try->in, sizeof(try->in));
	else if (try->arg == self->readonly)
		memset(&try->in, 0, sizeof(try->in));
	ret = variant->call(try->fd, try->cmd, try->arg);
	ASSERT_TRUE(is_documented(self, try, ret))
		TH_LOG("cmd %#x fd %d arg %p: %ld, of %#llx %#llx %#llx %#llx",
		       try->cmd, try->fd, try->arg, ret, try->in.word[0],
		       try->in.word[1], try->in.word[2], try->in.word[3]);
	if (!ret && is_changing(try)) {
		restore(_metadata, self);
		return;
	}
	info = device_info(self->fd);
	ASSERT_EQ(0, memcmp(&info, &self->info, sizeof(info)));
}

/* What may go wrong at a border; in place of a field, or of a pointer. */
#define NR_EDGES	13

static __u64 edge(unsigned int i)
{
	const __u64 page = page_size, edges[NR_EDGES] = {
		0, 1, page - 1, page, page + 1, NR * page, (NR + 1) * page,
		1ULL << 63, (1ULL << 63) - page, 1ULL << 32,
		(1ULL << 32) - page, -page, -1,
	};

	return edges[i % NR_EDGES];
}

static __u64 pointer(const FIXTURE_DATA(ioctl_args) *self, unsigned int i)
{
	const __u64 pointers[] = {
		(uintptr_t)self->arg, 0, (uintptr_t)self->readonly,
		(uintptr_t)self->none, -(128UL << 20) /* the kernel's */,
	};

	return pointers[i % ARRAY_SIZE(pointers)];
}

static const unsigned int commands[] = {
	MMAPDEMO_IOC_INFO, MMAPDEMO_IOC_RESIZE, MMAPDEMO_IOC_DISCARD,
	MMAPDEMO_IOC_DIRTY_LOG,
};

/* Each pair of edges in the first two fields, through each file. */
TEST_F(ioctl_args, edges)
{
	const int fd[] = { self->fd, self->ro, self->wo, -1 };
	struct attempt try = { .arg = self->arg };
	unsigned int i, n;

	for (i = 0; i < NR_EDGES * NR_EDGES * ARRAY_SIZE(fd); i++) {
		for (n = 1; n < ARRAY_SIZE(commands); n++) {
			try.cmd = commands[n];
			try.fd = fd[i % ARRAY_SIZE(fd)];
			memset(&try.in, 0, sizeof(try.in));
			try.in.word[0] = edge(i / ARRAY_SIZE(fd));
			if (try.cmd != MMAPDEMO_IOC_RESIZE)
				try.in.word[1] = edge(i / ARRAY_SIZE(fd) /
						      NR_EDGES);
			if (try.cmd == MMAPDEMO_IOC_DIRTY_LOG) {
				try.in.log.extents = pointer(self, 0) + 1024;
				try.in.log.nr_extents = 3;
			}
			attempt(_metadata, self, &try, variant);
		}
	}
	EXPECT_EQ(-1, bad_read(self->fd, 0, STORED, 0));
}

/* Each bad pointer, as the argument and as the array. */
TEST_F(ioctl_args, bad_pointers)
{
	struct attempt try = { .fd = self->fd };
	unsigned int i, n;

	for (i = 0; i < 5 * 5; i++) {
		for (n = 0; n < ARRAY_SIZE(commands); n++) {
			try.cmd = commands[n];
			try.arg = (char *)(uintptr_t)pointer(self, i);
			memset(&try.in, 0, sizeof(try.in));
			try.in.log = (struct mmapdemo_dirty_log){
				.len = NR * page_size,
				.extents = pointer(self, i / 5),
				.nr_extents = 1,
				.flags = MMAPDEMO_DIRTY_LOG_CLEAR,
			};
			attempt(_metadata, self, &try, variant);
		}
	}
	EXPECT_EQ(-1, bad_read(self->fd, 0, STORED, 0));
}

static __u64 random_64(unsigned int *seed)
{
	return (__u64)rand_r(seed) << 42 ^ (__u64)rand_r(seed) << 21 ^
	       rand_r(seed);
}

/* An edge mostly, else anything; or small numbers in either half, as flags. */
static __u64 random_field(unsigned int *seed)
{
	unsigned int kind = rand_r(seed) % 8;

	if (kind == 0)
		return random_64(seed);
	if (kind < 3)
		return random_64(seed) % (2 * NR) * page_size;
	if (kind < 5)
		return edge(rand_r(seed));
	return (__u64)(rand_r(seed) % 4) << (rand_r(seed) % 2 * 32);
}

TEST_F(ioctl_args, random_arguments)
{
	const int fd[] = { self->fd, self->fd, self->ro, self->wo, -1 };
	unsigned int seed = time(NULL), i, n;
	struct attempt try;

	TH_LOG("seed %u", seed);
	for (i = 0; i < 2000; i++) {
		n = rand_r(&seed) % 8;
		try.cmd = commands[rand_r(&seed) % ARRAY_SIZE(commands)];
		try.fd = fd[rand_r(&seed) % ARRAY_SIZE(fd)];
		try.arg = (char *)(uintptr_t)pointer(self, n < 5 ? n : 0);
		for (n = 0; n < ARRAY_SIZE(try.in.word); n++)
			try.in.word[n] = random_field(&seed);
		if (rand_r(&seed) % 2)
			try.in.log.extents = pointer(self, rand_r(&seed));
		attempt(_metadata, self, &try, variant);
	}
	EXPECT_EQ(-1, bad_read(self->fd, 0, STORED, 0));
}

TEST_HARNESS_MAIN
