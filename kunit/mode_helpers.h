/* SPDX-License-Identifier: GPL-2.0-only */
/* The parameter of cases that map a file in either fault_mode. */
#ifndef _MMAPDEMO_KUNIT_MODE_H
#define _MMAPDEMO_KUNIT_MODE_H

#include <kunit/test.h>

struct mode_param {
	const char *description;
	bool insert;
};

static const struct mode_param mode_params[] = {
	{ "map_pages", false },
	{ "insert", true },
};

static void mode_describe(const struct mode_param *param, char *desc)
{
	strscpy(desc, param->description, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mode, mode_params, mode_describe);

static inline const char *mode_of(struct kunit *test)
{
	const struct mode_param *param = test->param_value;

	return param->description;
}

static inline bool is_insert(struct kunit *test)
{
	const struct mode_param *param = test->param_value;

	return param->insert;
}

#endif /* _MMAPDEMO_KUNIT_MODE_H */
