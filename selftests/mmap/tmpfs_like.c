// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves the governing rule: a mapping of the device behaves as a mapping of a
 * tmpfs file of the same size does. A long random sequence of operations runs
 * on the device and on a memfd side by side, at the same places of two arenas
 * of addresses: same return, same errno, same signal with its code and address,
 * same bytes, and the same content in the end. What may differ is in the
 * table of exceptions, with its reason, and nowhere else.
 *
 * Environment: MMAPDEMO_SEED (printed; default: the time), MMAPDEMO_STEPS (2000).
 * The device is in fault_mode=map_pages: see the README for the other.
 * Needs: see mmapdemo_test.h; for the second variant reload.h.
 */
#include "mmapdemo_test.h"
#include "race.h"
#include "reload.h"

#include "tmpfs_like_util.h"
#include "tmpfs_like_uffd.h"

/* With a dirty log, and with the module loaded anew without one. */
FIXTURE(tmpfs_like) {
	struct device dev;
	char old[sizeof(old_parameters)];
	struct side side[2];
	struct outcome *outcome;
};

FIXTURE_VARIANT(tmpfs_like) {
	bool log;
};

FIXTURE_VARIANT_ADD(tmpfs_like, log) {
	.log = true,
};

FIXTURE_VARIANT_ADD(tmpfs_like, no_log) {
	.log = false,
};

FIXTURE_SETUP(tmpfs_like)
{
	int memfd;

	if (!variant->log)
		reload_with(_metadata, self->old, "dirty_log=0");
	device_setup(_metadata, &self->dev, false);
	ASSERT_EQ(0, resize(self->dev.fd, ARENA / 2));
	self->side[0].rw = self->dev.fd;
	self->side[0].ro = open(DEVICE, O_RDONLY);
	self->side[0].base = reserve(_metadata, 2 * ARENA);
	self->side[0].device = true;
	memfd = memfd_create("like", 0);
	ASSERT_EQ(0, ftruncate(memfd, ARENA / 2 * page_size));
	/* The file that memfd_create() returns has not been opened: no O_DIRECT. */
	self->side[1].rw = open_again(memfd, O_RDWR);
	ASSERT_LE(0, self->side[1].rw);
	self->side[1].ro = open_again(memfd, O_RDONLY);
	close(memfd);
	self->side[1].base = reserve(_metadata, 2 * ARENA);
	ASSERT_LE(0, self->side[1].ro);
	ASSERT_TRUE(side_watch(&self->side[0]));
	ASSERT_TRUE(side_watch(&self->side[1]));
	self->outcome = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->outcome);
}

FIXTURE_TEARDOWN_PARENT(tmpfs_like)
{
	device_reopen(_metadata, &self->dev);
	device_teardown(_metadata, &self->dev);
	if (!variant->log)
		reload_teardown(_metadata, self->old);
}

/* What differs, on purpose or by the kernel's rules for character devices. */
enum exception {
	WRITE_AT_END,
	WRITE_FAULTS,
	REMOVE,
	PAGEOUT,
	DISCARD_PAST_END,
	PAST_FILES,
	MERGED,
	NR_EXCEPTIONS
};

static const struct {
	const char *what, *why;
} exceptions[] = {
	[WRITE_AT_END] = {
		"write(2) past the end gives ENOSPC, or is short",
		"a device has the size that RESIZE gave it; a file grows",
	},
	[WRITE_FAULTS] = {
		"write(2) from a buffer that cannot be read leaves a hole a hole",
		"tmpfs now faults the buffer in after it has made the page, which stays",
	},
	[REMOVE] = {
		"madvise(MADV_REMOVE) gives ENODEV",
		"it is a fallocate, which the core refuses for character devices; DISCARD does it",
	},
	[PAGEOUT] = {
		"madvise(MADV_PAGEOUT) leaves each page where it is",
		"nothing reclaims the device's pages; a tmpfs page that was never written may go",
	},
	[DISCARD_PAST_END] = {
		"DISCARD of a range that ends past the end gives EINVAL",
		"nothing is there to be discarded; a hole may be punched there",
	},
	[PAST_FILES] = {
		"mmap of a range that ends at 2^63 or later works, to no use: SIGBUS",
		"the core limits that for regular files and block devices only",
	},
	[MERGED] = {
		"mremap of what was once split gives EFAULT",
		"the core does not merge VMAs again whose driver has a ->close",
	},
};

static const struct op ops[] = {
	{ "mmap", op_mmap, 12 },
	{ "touch", op_touch, 30 },
	{ "munmap", op_munmap, 3 },
	{ "mprotect", op_mprotect, 5 },
	{ "madvise", op_madvise, 14 },
	{ "mremap", op_mremap, 8 },
	{ "mlock", op_mlock, 3 },
	{ "msync", op_msync, 3 },
	{ "mincore", op_mincore, 3 },
	{ "read", op_read, 6 },
	{ "write", op_write, 8 },
	{ "lseek", op_lseek, 4 },
	{ "direct", op_direct, 1 },
	{ "resize", op_resize, 2 },
	{ "discard", op_discard, 3 },
	{ "fork", op_fork, 1 },
	{ "uffd", op_uffd, 16 },
};

static const struct op *draw_op(unsigned int *seed)
{
	unsigned int total = 0, drawn;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		total += ops[i].weight;
	drawn = rand_r(seed) % total;
	for (i = 0; drawn >= ops[i].weight; i++)
		drawn -= ops[i].weight;
	return &ops[i];
}

static struct step draw_step(unsigned int *seed)
{
	struct step step = { .op = draw_op(seed) };
	size_t i;

	step.page = rand_r(seed) % ARENA;
	step.nr = 1 + rand_r(seed) % 6;
	if (step.page + step.nr > ARENA)
		step.nr = ARENA - step.page;
	step.to = rand_r(seed) % (ARENA - step.nr + 1);
	step.byte = rand_r(seed) % page_size;
	for (i = 0; i < ARRAY_SIZE(step.choice); i++)
		step.choice[i] = rand_r(seed);
	return step;
}

/*
 * Whether the buffer of a write could not be read, or not to its end, on a kernel
 * where generic_perform_write() finds that out late. What could be read is left.
 * On i386 that may never find it out: it tries again and again to copy the last
 * bytes before the end, of which the copy gets none.
 * Return: the exception, if that is nothing, or -1.
 */
static int write_faulted(struct step *step, const struct outcome *device)
{
	bool late = !kernel_before(6, 15), never = !kernel_is_64bit();

	if (late && device->error == EFAULT)
		return WRITE_FAULTS;
	if ((late || never) && device->ret >= 0 &&
	    (size_t)device->ret < write_len(step))
		step->cut += write_len(step) - device->ret;
	return -1;
}

/*
 * Which exception a step is, if any, that the memfd would take otherwise: it is
 * not for the memfd, then. What a step would write past the end is cut off.
 * Return: the exception, or -1.
 */
static int find_exception(const struct side *side, struct step *step,
			  const struct outcome *device)
{
	off_t size = lseek_size(side[0].rw), end;

	if (step->op->run == op_madvise && device->error == ENODEV)
		return REMOVE;
	if (step->op->run == op_madvise &&
	    madvise_advice(step) == MADV_PAGEOUT)
		return PAGEOUT;
	if (step->op->run == op_discard && device->error == EINVAL &&
	    (off_t)((step->page + step->nr) * page_size) > size)
		return DISCARD_PAST_END;
	if (step->op->run == op_mmap && mmap_ends_past_files(step) &&
	    device->error != EOVERFLOW) {
		munmap(place(&side[0], step->page), step->nr * page_size);
		munmap(place(&side[1], step->page), step->nr * page_size);
		return PAST_FILES;
	}
	if (step->op->run == op_write && device->error == ENOSPC)
		return WRITE_AT_END;
	if (step->op->run != op_write)
		return -1;
	end = device->start + write_len(step);
	if (end > size && device->start < size)
		step->cut = end - size;
	return write_faulted(step, device);
}

/* Does a step on both. Return: whether the two did the same. */
static bool do_step(FIXTURE_DATA(tmpfs_like) *self, struct step *step,
		    unsigned long *excused)
{
	struct outcome *outcome = self->outcome;
	int exception;

	memset(outcome, 0, 2 * sizeof(*outcome));
	if (step->op->run == op_mremap &&
	    vmas_of_step(&self->side[0], step) !=
		    vmas_of_step(&self->side[1], step)) {
		excused[MERGED]++;
		return true;
	}
	run_step(&self->side[0], step, &outcome[0]);
	exception = find_exception(self->side, step, &outcome[0]);
	if (exception >= 0) {
		excused[exception]++;
		return true;
	}
	excused[WRITE_AT_END] += step->cut > 0;
	run_step(&self->side[1], step, &outcome[1]);
	return !memcmp(&outcome[0], &outcome[1], sizeof(*outcome));
}

/* Return: whether read(2) and SEEK_DATA show the same of both. */
static bool same_content(const struct side *side)
{
	off_t size = lseek_size(side[0].rw);
	char *a = calloc(1, size), *b = calloc(1, size);
	bool same = lseek_size(side[1].rw) == size &&
		    pread(side[0].rw, a, size, 0) == size &&
		    pread(side[1].rw, b, size, 0) == size &&
		    !memcmp(a, b, size) &&
		    count_data(side[0].rw) == count_data(side[1].rw);

	free(a);
	free(b);
	/* SEEK_DATA has moved the positions, if not to the same place. */
	lseek(side[0].rw, 0, SEEK_SET);
	lseek(side[1].rw, 0, SEEK_SET);
	return same;
}

static unsigned long setting(const char *name, unsigned long fallback)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : fallback;
}

TEST_F_TIMEOUT(tmpfs_like, random_operations, RACE_TIMEOUT)
{
	unsigned long steps = setting("MMAPDEMO_STEPS", 2000), n;
	unsigned long excused[NR_EXCEPTIONS] = { };
	unsigned int seed = setting("MMAPDEMO_SEED", time(NULL));
	struct step step;
	int i;

	TH_LOG("MMAPDEMO_SEED=%u MMAPDEMO_STEPS=%lu", seed, steps);
	for (n = 0; n < steps; n++) {
		step = draw_step(&seed);
		ASSERT_TRUE(do_step(self, &step, excused)) {
			print_step(n, &step);
			print_outcome("device", &self->outcome[0]);
			print_outcome("memfd", &self->outcome[1]);
		}
		if (n % 500)
			continue;
		ASSERT_TRUE(same_content(self->side))
			TH_LOG("the contents differ after step %lu", n);
	}
	EXPECT_TRUE(same_content(self->side));
	for (i = 0; i < NR_EXCEPTIONS; i++)
		TH_LOG("%lu times: %s: %s", excused[i], exceptions[i].what,
		       exceptions[i].why);
	TH_LOG("%lu accesses waited for a userfaultfd", self->side[0].told);
}

TEST_HARNESS_MAIN
