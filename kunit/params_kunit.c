// SPDX-License-Identifier: GPL-2.0-only
/* What a size may look like on insmod's command line, and what may not. */
#include <kunit/test.h>
#include <linux/sizes.h>

#include "../module/compat.h"
#include "../module/params.h"

struct size_param {
	const char *str;
	int err;
	u64 size;
};

static const struct size_param size_params[] = {
	{ "0", 0, 0 },
	{ "4096", 0, SZ_4K },
	{ "4096\n", 0, SZ_4K },
	{ "64k", 0, SZ_64K },
	{ "64K", 0, SZ_64K },
	{ "3M", 0, 3 * SZ_1M },
	{ "1g", 0, SZ_1G },
	{ "2T", 0, 2ull << 40 },
	{ "1P", 0, 1ull << 50 },
	{ "15E", 0, 15ull << 60 },
	{ "0x1000", 0, SZ_4K },
	{ "0x1E", 0, 0x1e },
	{ "0x10M", 0, SZ_16M },
	{ "18446744073709551615", 0, U64_MAX },
	{ "18446744073709551616", -ERANGE },
	{ "16E", -ERANGE },
	{ "17179869184G", -ERANGE },
	{ "", -EINVAL },
	{ "\n", -EINVAL },
	{ "M", -EINVAL },
	{ "abc", -EINVAL },
	{ "64X", -EINVAL },
	{ "64KB", -EINVAL },
	{ "64 K", -EINVAL },
	{ "6 4", -EINVAL },
	{ "-1", -EINVAL },
	{ "+1", -EINVAL },
	{ "1.5M", -EINVAL },
	{ "0x", -EINVAL },
	{ "00000000000000000000000000000000000001", -EINVAL },
};

static void size_describe(const struct size_param *param, char *desc)
{
	/* In quotes, as KUnit has a description of its own for an empty one. */
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "\"%*pE\"",
		 (int)strlen(param->str), param->str);
}

KUNIT_ARRAY_PARAM(size, size_params, size_describe);

static void params_parse_size(struct kunit *test)
{
	const struct size_param *param = test->param_value;
	const u64 untouched = 42;
	u64 size = untouched;

	KUNIT_EXPECT_EQ(test, mmapdemo_parse_size(param->str, &size),
			param->err);
	KUNIT_EXPECT_EQ(test, size, param->err ? untouched : param->size);
}

static void params_refuse_another_fault_mode(struct kunit *test)
{
	enum mmapdemo_fault_mode old = mmapdemo_param_fault_mode(0);

	KUNIT_EXPECT_EQ(test, mmapdemo_fault_mode_set("map"), -EINVAL);
	KUNIT_EXPECT_EQ(test, mmapdemo_fault_mode_set(""), -EINVAL);
	KUNIT_EXPECT_EQ(test, mmapdemo_param_fault_mode(0), old);
}

static struct kunit_case params_cases[] = {
	KUNIT_CASE_PARAM(params_parse_size, size_gen_params),
	KUNIT_CASE(params_refuse_another_fault_mode),
	{ }
};

static struct kunit_suite params_suite = {
	.name = "mmapdemo_params",
	.test_cases = params_cases,
};

kunit_test_suite(params_suite);
