// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves of the module parameters: each bad value makes insmod fail with EINVAL,
 * with one line in the kernel log that names parameter, value and range, and
 * with nothing left behind; good ones take effect; those that can be written at
 * run time refuse and accept the same.
 *
 * Loads the module anew, and in the end as it was.
 * Needs: see reload.h; /dev/kmsg.
 */
#include "mmapdemo_test.h"
#include "reload.h"

#define MULTIPLE	"a multiple of the page size"
#define POWER		"a power of 2"
#define MODES		"map_pages or insert"
#define SWITCH		"0 or 1"
/* Which of the two this is, depends on the kernel. */
#define HOOKS		"mmap"

/* The module's own lines in the kernel log. */
static int kmsg = -1;

static void params_setup(struct __test_metadata *_metadata)
{
	reload_setup(_metadata);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		SKIP_TEST("needs /dev/kmsg");
}

static void log_skip(void)
{
	lseek(kmsg, 0, SEEK_END);
}

/* Return: how many there are since log_skip(); the last one is in @line. */
static int log_lines(char *line, size_t size)
{
	static const char ours[] = ";mmapdemo: ";
	char record[1024];
	int nr = 0;
	ssize_t len;

	*line = '\0';
	while ((len = read(kmsg, record, sizeof(record) - 1)) > 0) {
		record[len] = '\0';
		/* The kernel adds a line of its own, which looks like ours. */
		if (!strstr(record, ours) || strstr(record, "invalid for parameter"))
			continue;
		snprintf(line, size, "%s", strstr(record, ours) + strlen(ours));
		nr++;
	}
	return nr;
}

/* The rest of the message: of a number the smallest and the largest value. */
static void rest_of(const char *must, char *range)
{
	unsigned long long max = largest_size();

	if (!strcmp(must, POWER))
		max = 2 << 20;
	*range = '\0';
	if (!strcmp(must, HOOKS))
		sprintf(range, "%s mmap_prepare", kernel_before(7, 3) ?
			"; this kernel does not have" : " or");
	else if (strcmp(must, MODES) && strcmp(must, SWITCH))
		sprintf(range, " from %zu to %llu bytes", page_size, max);
}

static void expect_one_line(struct __test_metadata *_metadata,
			    const char *name, const char *value,
			    const char *must)
{
	char expected[512], line[1024], range[64];

	rest_of(must, range);
	snprintf(expected, sizeof(expected), "%s=%s: must be %s%s\n", name,
		 value, must, range);
	EXPECT_EQ(1, log_lines(line, sizeof(line)));
	EXPECT_STREQ(expected, line);
}

/* A value that no parameter of its kind takes. */
FIXTURE(refused) {
	char parameter[128];
	char old[sizeof(old_parameters)];
};

FIXTURE_VARIANT(refused) {
	const char *name, *value, *must;
};

#define REFUSED(what, text, kind)	.name = what, .value = text, .must = kind

FIXTURE_VARIANT_ADD(refused, size_nothing) { REFUSED("size", "", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_zero) { REFUSED("size", "0", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_one) { REFUSED("size", "1", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_odd) { REFUSED("size", "4097", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_negative) { REFUSED("size", "-1", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_word) { REFUSED("size", "abc", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_suffix) { REFUSED("size", "64X", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_prefix) { REFUSED("size", "0x", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_fraction) { REFUSED("size", "1.5M", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_digits) { REFUSED("size", "99999999999999999999", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_2_64) { REFUSED("size", "16E", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, size_2_63) { REFUSED("size", "8E", MULTIPLE) };
/* The same code reads it; what is left to see is that it is used. */
FIXTURE_VARIANT_ADD(refused, pool_size_zero) { REFUSED("pool_size", "0", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, pool_size_odd) { REFUSED("pool_size", "4097", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, pool_size_word) { REFUSED("pool_size", "abc", MULTIPLE) };
FIXTURE_VARIANT_ADD(refused, fault_around_small) { REFUSED("fault_around", "3000", POWER) };
FIXTURE_VARIANT_ADD(refused, fault_around_zero) { REFUSED("fault_around", "0", POWER) };
FIXTURE_VARIANT_ADD(refused, fault_around_large) { REFUSED("fault_around", "4M", POWER) };
FIXTURE_VARIANT_ADD(refused, fault_around_odd) { REFUSED("fault_around", "2049", POWER) };
FIXTURE_VARIANT_ADD(refused, fault_around_three) { REFUSED("fault_around", "768K", POWER) };
FIXTURE_VARIANT_ADD(refused, fault_mode_word) { REFUSED("fault_mode", "foo", MODES) };
FIXTURE_VARIANT_ADD(refused, fault_mode_nothing) { REFUSED("fault_mode", "", MODES) };
FIXTURE_VARIANT_ADD(refused, dirty_log_number) { REFUSED("dirty_log", "2", SWITCH) };
FIXTURE_VARIANT_ADD(refused, dirty_log_word) { REFUSED("dirty_log", "yes", SWITCH) };
FIXTURE_VARIANT_ADD(refused, mmap_hook_word) { REFUSED("mmap_hook", "foo", HOOKS) };
FIXTURE_VARIANT_ADD(refused, mmap_hook_both) { REFUSED("mmap_hook", "mmap+mmap_prepare", HOOKS) };

FIXTURE_SETUP(refused)
{
	params_setup(_metadata);
	memcpy(self->old, old_parameters, sizeof(self->old));
	snprintf(self->parameter, sizeof(self->parameter), "%s=%s",
		 variant->name, variant->value);
}

FIXTURE_TEARDOWN_PARENT(refused)
{
	reload_teardown(_metadata, self->old);
}

TEST_F(refused, by_insmod)
{
	ASSERT_EQ(0, unload());
	log_skip();
	EXPECT_ERRNO(EINVAL, load(self->parameter));
	expect_one_line(_metadata, variant->name, variant->value,
			variant->must);
	EXPECT_EQ(NULL, left_behind());
}

/* The others are for insmod alone. */
static bool is_writable(const char *name)
{
	return !strncmp(name, "fault_", strlen("fault_"));
}

TEST_F(refused, at_run_time)
{
	char path[128], before[64], after[64];

	snprintf(path, sizeof(path), PARAMETERS "%s", variant->name);
	ASSERT_EQ(0, read_file(path, before, sizeof(before)));
	log_skip();
	if (!is_writable(variant->name)) {
		EXPECT_EQ(-EACCES, write_file(path, variant->value));
	} else if (*variant->value) {	/* a write of nothing ends earlier */
		EXPECT_EQ(-EINVAL, write_file(path, variant->value));
		expect_one_line(_metadata, variant->name, variant->value,
				variant->must);
	}
	ASSERT_EQ(0, read_file(path, after, sizeof(after)));
	EXPECT_STREQ(before, after);
}

/* A value that is taken, and how it reads then. */
FIXTURE(taken) {
	char parameter[128], path[128];
	char old[sizeof(old_parameters)];
};

FIXTURE_VARIANT(taken) {
	const char *name, *value, *reads;
};

#define TAKEN(what, text, result)	.name = what, .value = text, .reads = result

FIXTURE_VARIANT_ADD(taken, size_K) { TAKEN("size", "128K", "131072") };
FIXTURE_VARIANT_ADD(taken, size_hexadecimal) { TAKEN("size", "0x20000", "131072") };
FIXTURE_VARIANT_ADD(taken, size_m) { TAKEN("size", "8m", "8388608") };
FIXTURE_VARIANT_ADD(taken, pool_size_G) { TAKEN("pool_size", "1G", "1073741824") };
FIXTURE_VARIANT_ADD(taken, fault_mode_insert) { TAKEN("fault_mode", "insert", "insert") };
FIXTURE_VARIANT_ADD(taken, fault_mode_map_pages) { TAKEN("fault_mode", "map_pages", "map_pages") };
FIXTURE_VARIANT_ADD(taken, mmap_hook_mmap) { TAKEN("mmap_hook", "mmap", "mmap") };
FIXTURE_VARIANT_ADD(taken, dirty_log_0) { TAKEN("dirty_log", "0", "0") };
FIXTURE_VARIANT_ADD(taken, dirty_log_1) { TAKEN("dirty_log", "1", "1") };
FIXTURE_VARIANT_ADD(taken, fault_around_2M) { TAKEN("fault_around", "2M", "2097152") };
FIXTURE_VARIANT_ADD(taken, fault_around_128K) { TAKEN("fault_around", "128K", "131072") };

FIXTURE_SETUP(taken)
{
	params_setup(_metadata);
	memcpy(self->old, old_parameters, sizeof(self->old));
	snprintf(self->parameter, sizeof(self->parameter), "%s=%s",
		 variant->name, variant->value);
	snprintf(self->path, sizeof(self->path), PARAMETERS "%s",
		 variant->name);
}

FIXTURE_TEARDOWN_PARENT(taken)
{
	reload_teardown(_metadata, self->old);
}

TEST_F(taken, by_insmod)
{
	char value[64];

	ASSERT_EQ(0, unload());
	ASSERT_EQ(0, load(self->parameter));
	ASSERT_EQ(0, read_file(self->path, value, sizeof(value)));
	EXPECT_STREQ(variant->reads, value);
}

TEST_F(taken, at_run_time)
{
	char before[64], after[64];
	int err;

	ASSERT_EQ(0, read_file(self->path, before, sizeof(before)));
	err = write_file(self->path, variant->value);
	EXPECT_EQ(is_writable(variant->name) ? 0 : -EACCES, err);
	ASSERT_EQ(0, read_file(self->path, after, sizeof(after)));
	EXPECT_STREQ(is_writable(variant->name) ? variant->reads : before,
		     after);
}

/* From the kernel on that has all of it. */
TEST(mmap_hook_mmap_prepare)
{
	static const char hook[] = "mmap_hook", prepare[] = "mmap_prepare";
	char value[64];

	params_setup(_metadata);
	ASSERT_EQ(0, unload());
	log_skip();
	if (kernel_before(7, 3)) {
		EXPECT_ERRNO(EINVAL, load("mmap_hook=mmap_prepare"));
		expect_one_line(_metadata, hook, prepare, HOOKS);
		EXPECT_EQ(NULL, left_behind());
	} else {
		EXPECT_EQ(0, load("mmap_hook=mmap_prepare"));
		EXPECT_EQ(0, read_file(PARAMETERS "mmap_hook", value,
				       sizeof(value)));
		EXPECT_STREQ(prepare, value);
		EXPECT_EQ(0, unload());
	}
	EXPECT_EQ(0, load(old_parameters));
}

/* Less than what an unsigned long or a position counts by less than a page. */
TEST(size_is_limited)
{
	char parameter[64];

	params_setup(_metadata);
	ASSERT_EQ(0, unload());
	log_skip();
	snprintf(parameter, sizeof(parameter), "size=%llu",
		 (unsigned long long)(largest_size() + page_size));
	EXPECT_ERRNO(EINVAL, load(parameter));
	expect_one_line(_metadata, "size", parameter + strlen("size="),
			MULTIPLE);
	EXPECT_EQ(NULL, left_behind());
	EXPECT_EQ(0, load(old_parameters));
}

/* And so is the pool's cap, which was not given. */
TEST(size_is_what_a_reader_meets)
{
	char parameter[64], *data;
	size_t size;
	int fd;

	params_setup(_metadata);
	size = 33 * page_size;
	data = malloc(2 * size);
	ASSERT_EQ(0, unload());
	snprintf(parameter, sizeof(parameter), "size=%zuK", size / 1024);
	ASSERT_EQ(0, load(parameter));
	fd = open(DEVICE, O_RDONLY);
	EXPECT_EQ((ssize_t)size, read(fd, data, 2 * size));
	EXPECT_EQ(33, pool_read("cap"));
	close(fd);
	free(data);
	EXPECT_EQ(0, unload());
	EXPECT_EQ(0, load(old_parameters));
}

TEST_HARNESS_MAIN
