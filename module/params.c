// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module parameters. Each is checked when it is set, at insmod and, if it is
 * writable, at run time: a bad value fails with EINVAL, logs one line that says
 * what is allowed, and changes nothing.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "compat.h"
#include "params.h"

/**
 * struct size_param - a parameter in bytes
 * @name: as the user writes it
 * @max: the largest value; the smallest is the page size
 * @power_of_2: whether it must be a power of two, not just a multiple of a page
 * @value: the value in bytes; 0: not set
 */
struct size_param {
	const char *name;
	u64 max;
	bool power_of_2;
	u64 value;
};

static struct size_param param_size = {
	.name = "size", .max = MMAPDEMO_SIZE_MAX, .value = SZ_64M,
};

static struct size_param param_pool_size = {
	.name = "pool_size", .max = MMAPDEMO_SIZE_MAX,
};

static struct size_param param_fault_around = {
	.name = "fault_around", .max = SZ_2M, .power_of_2 = true,
	.value = PAGE_ALIGN(SZ_64K),
};

/**
 * struct word_param - a parameter that is one of a few words
 * @name: as the user writes it
 * @words: the valid words, in the order of the enum that the code uses
 * @nr: how many of @words, from the first one on, this kernel supports
 * @value: index of the current one
 */
struct word_param {
	const char *name;
	const char *words[2];
	unsigned int nr;
	unsigned int value;
};

static struct word_param param_fault_mode = {
	.name = "fault_mode", .nr = 2,
	.words = {
		[MMAPDEMO_FAULT_MAP_PAGES]	= "map_pages",
		[MMAPDEMO_FAULT_INSERT]		= "insert",
	},
};

static struct word_param param_dirty_log = {
	.name = "dirty_log", .nr = 2, .words = { "0", "1" }, .value = 1,
};

static struct word_param param_mmap_hook = {
	.name = "mmap_hook", .nr = 1 + MMAPDEMO_HAVE_MMAP_PREPARE,
	.words = {
		[MMAPDEMO_HOOK_MMAP]		= "mmap",
		[MMAPDEMO_HOOK_MMAP_PREPARE]	= "mmap_prepare",
	},
};

/**
 * mmapdemo_parse_size() - parse bytes with an optional suffix
 * @str: a number in C notation, and at most one of K, M, G, T, P, E (powers of
 *	 1024), in either case; blanks at the end are ignored
 * @size: receives the value in bytes
 *
 * memparse() reads the same format, but wraps around on overflow.
 *
 * Context: any.
 * Return: 0; -EINVAL: not in this format; -ERANGE: 2^64 or more.
 */
int mmapdemo_parse_size(const char *str, u64 *size)
{
	static const char suffixes[] = "KMGTPE";
	const char *suffix = NULL;
	char number[32];
	u64 value;
	int err;

	if (strscpy(number, str, sizeof(number)) < 0)
		return -EINVAL;
	strim(number);
	if (*number)
		suffix = strchr(suffixes, toupper(number[strlen(number) - 1]));
	/* In hexadecimal E is a digit. */
	if (suffix && *suffix == 'E' && !strncasecmp(number, "0x", 2))
		suffix = NULL;
	if (suffix)
		number[strlen(number) - 1] = '\0';

	/* kstrtoull() would accept a sign. */
	if (!isdigit(*number))
		return -EINVAL;
	err = kstrtoull(number, 0, &value);
	if (err)
		return err;
	if (suffix && check_shl_overflow(value, 10 * (suffix - suffixes + 1),
					 &value))
		return -ERANGE;
	*size = value;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_parse_size);

static int size_param_set(const char *val, const struct kernel_param *kp)
{
	struct size_param *param = kp->arg;
	u64 value;

	if (!mmapdemo_parse_size(val, &value) &&
	    value >= PAGE_SIZE && value <= param->max && PAGE_ALIGNED(value) &&
	    (!param->power_of_2 || is_power_of_2(value))) {
		WRITE_ONCE(param->value, value);
		return 0;
	}
	pr_err("%s=%.64s: must be a %s from %lu to %llu bytes\n", param->name,
	       val, param->power_of_2 ? "power of 2" : "multiple of the page size",
	       PAGE_SIZE, param->max);
	return -EINVAL;
}

static int size_param_get(char *buffer, const struct kernel_param *kp)
{
	const struct size_param *param = kp->arg;

	return sysfs_emit(buffer, "%llu\n", READ_ONCE(param->value));
}

static const struct kernel_param_ops size_param_ops = {
	.set = size_param_set,
	.get = size_param_get,
};

static int word_param_choose(struct word_param *param, const char *val)
{
	int index = __sysfs_match_string(param->words, param->nr, val);

	if (index < 0) {
		pr_err("%s=%.64s: must be %s%s%s\n", param->name, val,
		       param->words[0],
		       param->nr > 1 ? " or " : "; this kernel does not have ",
		       param->words[1]);
		return -EINVAL;
	}
	WRITE_ONCE(param->value, index);
	return 0;
}

static int word_param_set(const char *val, const struct kernel_param *kp)
{
	return word_param_choose(kp->arg, val);
}

static int word_param_get(char *buffer, const struct kernel_param *kp)
{
	const struct word_param *param = kp->arg;

	return sysfs_emit(buffer, "%s\n", param->words[READ_ONCE(param->value)]);
}

static const struct kernel_param_ops word_param_ops = {
	.set = word_param_set,
	.get = word_param_get,
};

#if IS_ENABLED(CONFIG_KUNIT)
/* For the KUnit suites: what a write to the parameter does. */
int mmapdemo_fault_mode_set(const char *val)
{
	return word_param_choose(&param_fault_mode, val);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_fault_mode_set);
#endif

/* Initial size of the device in bytes. */
u64 mmapdemo_param_size(void)
{
	return param_size.value;
}

/* Cap of the pool in bytes; called once, after all parameters are parsed. */
u64 mmapdemo_param_pool_size(void)
{
	/* Store it, so that sysfs shows it. */
	if (!param_pool_size.value)
		param_pool_size.value = param_size.value;
	return param_pool_size.value;
}

/* Whether the device keeps a dirty log; called once, like the above. */
bool mmapdemo_param_dirty_log(void)
{
	return param_dirty_log.value;
}

/* The file operation that serves mmap(2); called once, too. */
enum mmapdemo_mmap_hook mmapdemo_param_mmap_hook(void)
{
	return param_mmap_hook.value;
}

/* How new mappings fill their page tables; may change at any time. */
enum mmapdemo_fault_mode mmapdemo_param_fault_mode(void)
{
	return READ_ONCE(param_fault_mode.value);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_param_fault_mode);

/* Bytes that fault_mode=insert maps at once; may change at any time. */
unsigned long mmapdemo_param_fault_around(void)
{
	return READ_ONCE(param_fault_around.value);
}

module_param_cb(size, &size_param_ops, &param_size, 0444);
MODULE_PARM_DESC(size, "size of the device, in bytes or with a K, M, G suffix (default 64M)");
module_param_cb(pool_size, &size_param_ops, &param_pool_size, 0444);
MODULE_PARM_DESC(pool_size, "memory limit of the page pool (default: size)");
module_param_cb(fault_mode, &word_param_ops, &param_fault_mode, 0644);
MODULE_PARM_DESC(fault_mode, "how new mappings fill page tables: map_pages (default) or insert");
module_param_cb(fault_around, &size_param_ops, &param_fault_around, 0644);
MODULE_PARM_DESC(fault_around, "fault_mode=insert: bytes mapped per read fault (default 64K, at least a page)");
module_param_cb(dirty_log, &word_param_ops, &param_dirty_log, 0444);
MODULE_PARM_DESC(dirty_log, "keep a dirty log: 1 (default) or 0, which makes first writes cheaper");
module_param_cb(mmap_hook, &word_param_ops, &param_mmap_hook, 0444);
MODULE_PARM_DESC(mmap_hook, "file operation that serves mmap(2): mmap (default) or, since Linux 7.3, mmap_prepare");
