// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module parameters. Each has a value for each device, and is checked when it is
 * set, at insmod and, if it is writable, at run time: a bad value fails with
 * EINVAL, logs one line that says what is allowed, and changes nothing.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/kstrtox.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "compat.h"
#include "device.h"
#include "params.h"

/**
 * struct param - a parameter with a value for each device
 * @name: as the user writes it
 * @max: of a number of bytes, the largest; the smallest is the page size
 * @power_of_2: whether it must be a power of two, not just a multiple of a page
 * @words: of a choice, the valid words, in the order of the enum that the code uses
 * @nr_words: how many of @words, from the first one on, this kernel supports; 0:
 *	      it is a number of bytes
 * @nr: how many values the user gave; the last one holds for all further devices
 * @value: bytes, or an index of @words; pool_size has 0 for "not given"
 */
struct param {
	const char *name;
	u64 max;
	bool power_of_2;
	const char *words[2];
	unsigned int nr_words;
	unsigned int nr;
	u64 value[MMAPDEMO_DEVICES_MAX];
};

#define FOR_ALL_DEVICES(first)	{ [0 ... MMAPDEMO_DEVICES_MAX - 1] = (first) }

static struct param param_size = {
	.name = "size", .max = MMAPDEMO_SIZE_MAX,
	.value = FOR_ALL_DEVICES(SZ_64M),
};

static struct param param_pool_size = {
	.name = "pool_size", .max = MMAPDEMO_SIZE_MAX,
};

static struct param param_fault_around = {
	.name = "fault_around", .max = SZ_2M, .power_of_2 = true,
	.value = FOR_ALL_DEVICES(PAGE_ALIGN(SZ_64K)),
};

static struct param param_fault_mode = {
	.name = "fault_mode", .nr_words = 2,
	.words = {
		[MMAPDEMO_FAULT_MAP_PAGES]	= "map_pages",
		[MMAPDEMO_FAULT_INSERT]		= "insert",
	},
};

static struct param param_dirty_log = {
	.name = "dirty_log", .nr_words = 2, .words = { "0", "1" },
	.value = FOR_ALL_DEVICES(1),
};

static struct param param_mmap_hook = {
	.name = "mmap_hook", .nr_words = 1 + MMAPDEMO_HAVE_MMAP_PREPARE,
	.words = {
		[MMAPDEMO_HOOK_MMAP]		= "mmap",
		[MMAPDEMO_HOOK_MMAP_PREPARE]	= "mmap_prepare",
	},
};

static unsigned int devices = 1;
/* Whether all parameters are parsed, devices as well. */
static bool params_ready;

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

static bool is_valid_size(const struct param *param, u64 value)
{
	return value >= PAGE_SIZE && value <= param->max && PAGE_ALIGNED(value) &&
	       (!param->power_of_2 || is_power_of_2(value));
}

/* Reads a single value. Return: 0, or -EINVAL, of which the log says why. */
static int param_parse(const struct param *param, const char *str, u64 *value)
{
	int index;

	if (!param->nr_words) {
		if (!mmapdemo_parse_size(str, value) && is_valid_size(param, *value))
			return 0;
		pr_err("%s=%.64s: must be a %s from %lu to %llu bytes\n",
		       param->name, str,
		       param->power_of_2 ? "power of 2" :
					   "multiple of the page size",
		       PAGE_SIZE, param->max);
		return -EINVAL;
	}

	index = __sysfs_match_string(param->words, param->nr_words, str);
	if (index < 0) {
		pr_err("%s=%.64s: must be %s%s%s\n", param->name, str,
		       param->words[0], param->nr_words > 1 ? " or " :
		       "; this kernel does not have ", param->words[1]);
		return -EINVAL;
	}
	*value = index;
	return 0;
}

/* There may be no more values than devices. */
static int param_check(const struct param *param, unsigned int nr)
{
	if (nr <= devices)
		return 0;
	pr_err("%s: there are more values than devices (%u)\n", param->name, devices);
	return -EINVAL;
}

/* Reads a value, or a list of them with a comma after each but the last. */
static int param_set(const char *val, const struct kernel_param *kp)
{
	u64 value[MMAPDEMO_DEVICES_MAX];
	struct param *param = kp->arg;
	unsigned int nr = 0, i;
	const char *comma;
	char item[80];
	int err = 0;

	do {
		if (nr == MMAPDEMO_DEVICES_MAX)
			return param_check(param, nr + 1);
		/* One that is cut off is none that is valid. */
		comma = strchrnul(val, ',');
		strscpy(item, val, min_t(size_t, sizeof(item), comma - val + 1));
		err = param_parse(param, item, &value[nr++]);
		val = comma + 1;
	} while (!err && *comma);
	if (!err && params_ready)
		err = param_check(param, nr);
	if (err)
		return err;

	param->nr = nr;
	for (i = 0; i < MMAPDEMO_DEVICES_MAX; i++)
		WRITE_ONCE(param->value[i], value[min(i, nr - 1)]);
	return 0;
}

static int param_emit(const struct param *param, unsigned int device, char *to,
		      size_t size)
{
	u64 value = READ_ONCE(param->value[device]);

	return param->nr_words ? scnprintf(to, size, "%s", param->words[value]) :
				 scnprintf(to, size, "%llu", value);
}

static bool same_for_all(const struct param *param)
{
	unsigned int i;

	for (i = 1; i < devices; i++)
		if (READ_ONCE(param->value[i]) != READ_ONCE(param->value[0]))
			return false;
	return true;
}

/* A value for all, or one for each device. */
static int param_get(char *buffer, const struct kernel_param *kp)
{
	const struct param *param = kp->arg;
	unsigned int nr = same_for_all(param) ? 1 : devices, i;
	int len = 0;

	for (i = 0; i < nr; i++) {
		len += param_emit(param, i, buffer + len, PAGE_SIZE - len);
		len += scnprintf(buffer + len, PAGE_SIZE - len, "%c",
				 i + 1 < nr ? ',' : '\n');
	}
	return len;
}

static const struct kernel_param_ops param_ops = {
	.set = param_set,
	.get = param_get,
};

static int devices_set(const char *val, const struct kernel_param *kp)
{
	unsigned int value;

	if (!isdigit(*val) || kstrtouint(val, 0, &value) || !value ||
	    value > MMAPDEMO_DEVICES_MAX) {
		pr_err("devices=%.64s: must be a number from 1 to %u\n", val,
		       MMAPDEMO_DEVICES_MAX);
		return -EINVAL;
	}
	devices = value;
	return 0;
}

static const struct kernel_param_ops devices_ops = {
	.set = devices_set,
	.get = param_get_uint,
};

/*
 * What can be changed at run time can be for one device alone, too:
 * /sys/class/misc/mmapdemo1/fault_mode.
 */
static ssize_t param_show(const struct param *param, struct device *dev, char *buffer)
{
	int len = param_emit(param, mmapdemo_misc_number(dev), buffer, PAGE_SIZE);

	return len + scnprintf(buffer + len, PAGE_SIZE - len, "\n");
}

static ssize_t param_store(struct param *param, struct device *dev,
			   const char *buffer, size_t len)
{
	u64 value;
	int err = param_parse(param, buffer, &value);

	if (err)
		return err;
	WRITE_ONCE(param->value[mmapdemo_misc_number(dev)], value);
	return len;
}

#define DEVICE_PARAM(name)						\
static ssize_t name##_show(struct device *dev,				\
			   struct device_attribute *attr, char *buffer)	\
{									\
	return param_show(&param_##name, dev, buffer);			\
}									\
static ssize_t name##_store(struct device *dev,				\
			    struct device_attribute *attr,		\
			    const char *buffer, size_t len)		\
{									\
	return param_store(&param_##name, dev, buffer, len);		\
}									\
static DEVICE_ATTR_RW(name)

DEVICE_PARAM(fault_mode);
DEVICE_PARAM(fault_around);

static struct attribute *mmapdemo_attrs[] = {
	&dev_attr_fault_mode.attr,
	&dev_attr_fault_around.attr,
	NULL
};
ATTRIBUTE_GROUPS(mmapdemo);

/* The files of a device in sysfs. */
const struct attribute_group **mmapdemo_param_groups(void)
{
	return mmapdemo_groups;
}

/**
 * mmapdemo_params_init() - check what insmod has parsed
 *
 * Context: once, before all that is below.
 * Return: how many devices there are to be; -EINVAL: a parameter has a value for
 * more of them.
 */
int mmapdemo_params_init(void)
{
	const struct param *params[] = {
		&param_size, &param_pool_size, &param_fault_mode,
		&param_fault_around, &param_dirty_log, &param_mmap_hook,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(params); i++)
		if (param_check(params[i], params[i]->nr))
			return -EINVAL;
	/* Store it, so that sysfs shows it. */
	for (i = 0; i < devices; i++)
		if (!param_pool_size.value[i])
			param_pool_size.value[i] = param_size.value[i];
	params_ready = true;
	return devices;
}

#if IS_ENABLED(CONFIG_KUNIT)
/* For the KUnit suites: what a write to the parameter does. */
int mmapdemo_fault_mode_set(const char *val)
{
	return param_set(val, &(struct kernel_param){ .arg = &param_fault_mode });
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_fault_mode_set);
#endif

/* Initial size of a device in bytes. */
u64 mmapdemo_param_size(unsigned int device)
{
	return param_size.value[device];
}

/* Cap of its pool in bytes. */
u64 mmapdemo_param_pool_size(unsigned int device)
{
	return param_pool_size.value[device];
}

/* Whether it keeps a dirty log. */
bool mmapdemo_param_dirty_log(unsigned int device)
{
	return param_dirty_log.value[device];
}

/* The file operation that serves mmap(2). */
enum mmapdemo_mmap_hook mmapdemo_param_mmap_hook(unsigned int device)
{
	return param_mmap_hook.value[device];
}

/* How its new mappings fill their page tables; may change at any time. */
enum mmapdemo_fault_mode mmapdemo_param_fault_mode(unsigned int device)
{
	return READ_ONCE(param_fault_mode.value[device]);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_param_fault_mode);

/* Bytes that fault_mode=insert maps at once; may change at any time. */
unsigned long mmapdemo_param_fault_around(unsigned int device)
{
	return READ_ONCE(param_fault_around.value[device]);
}

module_param_cb(devices, &devices_ops, &devices, 0444);
MODULE_PARM_DESC(devices, "number of devices, 1 (default) to 64; all other parameters take a list, with a value for each");
module_param_cb(size, &param_ops, &param_size, 0444);
MODULE_PARM_DESC(size, "size of the device, in bytes or with a K, M, G suffix (default 64M)");
module_param_cb(pool_size, &param_ops, &param_pool_size, 0444);
MODULE_PARM_DESC(pool_size, "memory limit of the page pool (default: size)");
module_param_cb(fault_mode, &param_ops, &param_fault_mode, 0644);
MODULE_PARM_DESC(fault_mode, "how new mappings fill page tables: map_pages (default) or insert");
module_param_cb(fault_around, &param_ops, &param_fault_around, 0644);
MODULE_PARM_DESC(fault_around, "fault_mode=insert: bytes mapped per read fault (default 64K, at least a page)");
module_param_cb(dirty_log, &param_ops, &param_dirty_log, 0444);
MODULE_PARM_DESC(dirty_log, "keep a dirty log: 1 (default) or 0, which makes first writes cheaper");
module_param_cb(mmap_hook, &param_ops, &param_mmap_hook, 0444);
MODULE_PARM_DESC(mmap_hook, "file operation that serves mmap(2): mmap (default) or, since Linux 7.3, mmap_prepare");
