// SPDX-License-Identifier: GPL-2.0-only
/*
 * The settings and the counters of an open file; see hooks.c.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/string.h>

#include "hooks.h"

struct hooks_word {
	const char *word;
	long value;
};

static const struct hooks_word fault_words[] = {
	{ "usual", FAULT_USUAL },	{ "page", FAULT_PAGE },
	{ "locked", FAULT_LOCKED },	{ "major", FAULT_MAJOR },
	{ "nopage", FAULT_NOPAGE },	{ "sigbus", FAULT_SIGBUS },
	{ "sigsegv", FAULT_SIGSEGV },	{ "hwpoison", FAULT_HWPOISON },
	{ "oom", FAULT_OOM },		{ "retry", FAULT_RETRY },
	{ "insert", FAULT_INSERT },	{ "pfn", FAULT_PFN },
	{ }
};

static const struct hooks_word huge_fault_words[] = {
	{ "fallback", FAULT_FALLBACK },	{ "sigbus", FAULT_SIGBUS },	{ }
};

static const struct hooks_word page_mkwrite_words[] = {
	{ "locked", FAULT_LOCKED },	{ "zero", FAULT_ZERO },
	{ "nopage", FAULT_NOPAGE },	{ "sigbus", FAULT_SIGBUS },
	{ "oom", FAULT_OOM },		{ "retry", FAULT_RETRY },
	{ }
};

static const struct hooks_word pfn_mkwrite_words[] = {
	{ "zero", FAULT_ZERO },		{ "nopage", FAULT_NOPAGE },
	{ "sigbus", FAULT_SIGBUS },	{ }
};

static const struct hooks_word vm_flags_words[] = {
	{ "io", VM_IO },		{ "pfnmap", VM_PFNMAP },
	{ "mixedmap", VM_MIXEDMAP },	{ "dontexpand", VM_DONTEXPAND },
	{ "dontcopy", VM_DONTCOPY },	{ "dontdump", VM_DONTDUMP },
	{ "plain", 0 },			{ }
};

static const struct hooks_word ops_words[] = {
	{ "set", OPS_SET },	{ "default", OPS_DEFAULT },
	{ "null", OPS_NULL },	{ }
};

#if MMAPDEMO_HAVE_MMAP_PREPARE
static const struct hooks_word action_words[] = {
	{ "none", ACTION_NONE },	{ "pages", ACTION_PAGES },
	{ "pages_outside", ACTION_PAGES_OUTSIDE },
	{ "remap", ACTION_REMAP },	{ "ioremap", ACTION_IOREMAP },	{ }
};
#endif

/*
 * A setting without words is a number from min to max: for hooks 0 or an errno.
 * A hook is at this offset in vm_operations.
 */
struct hooks_setting_info {
	const char *name;
	const struct hooks_word *words;
	long min;
	long max;
	bool is_hook;
	size_t offset;
};

#define HOOK(hook, _words)	{					\
	.name = #hook, .words = _words, .min = -MAX_ERRNO,		\
	.is_hook = true,						\
	.offset = offsetof(const struct vm_operations_struct, hook)		\
}

#define NUMBER(_name, _min, _max) { .name = _name, .min = _min, .max = _max }
#define WORDS(_name, _words)	{ .name = _name, .words = _words }

static const struct hooks_setting_info settings[HOOKS_NR_SETTINGS] = {
	[SET_OPEN]		= HOOK(open, NULL),
	[SET_CLOSE]		= HOOK(close, NULL),
	[SET_MAY_SPLIT]		= HOOK(may_split, NULL),
	[SET_MREMAP]		= HOOK(mremap, NULL),
	[SET_MPROTECT]		= HOOK(mprotect, NULL),
	[SET_FAULT]		= HOOK(fault, fault_words),
	[SET_HUGE_FAULT]	= HOOK(huge_fault, huge_fault_words),
	[SET_PAGE_MKWRITE]	= HOOK(page_mkwrite, page_mkwrite_words),
	[SET_PFN_MKWRITE]	= HOOK(pfn_mkwrite, pfn_mkwrite_words),
	[SET_ACCESS]		= HOOK(access, NULL),
	[SET_NAME]		= HOOK(name, NULL),
#ifdef CONFIG_NUMA
	[SET_POLICY]		= HOOK(set_policy, NULL),
#endif
#if MMAPDEMO_HAVE_UFFD_OPS
	[SET_UFFD_OPS]		= HOOK(uffd_ops, NULL),
#endif
#if MMAPDEMO_HAVE_MMAP_PREPARE
	[SET_MAPPED]		= HOOK(mapped, NULL),
	[SET_ACTION]		= WORDS("action", action_words),
	[SET_ERROR_OVERRIDE]	= NUMBER("error_override", -MAX_ERRNO, 0),
#endif
	[SET_MMAP]		= NUMBER("mmap", -MAX_ERRNO, 0),
	[SET_GET_UNMAPPED_AREA]	= NUMBER("get_unmapped_area", LONG_MIN, LONG_MAX),
	[SET_FADVISE]		= NUMBER("fadvise", -MAX_ERRNO, 0),
	[SET_VM_FLAGS]		= WORDS("vm_flags", vm_flags_words),
	[SET_OPS]		= WORDS("ops", ops_words),
	[SET_TIMES]		= NUMBER("times", -1, INT_MAX),
	[SET_CALL]		= NUMBER("call", 0, 0),
	[SET_ORDER]		= NUMBER("order", 0, PMD_SHIFT - PAGE_SHIFT),
	[SET_SIZE]		= NUMBER("size", 0, INT_MAX),
	[SET_MAPPING]		= NUMBER("mapping", 0, 1),
	[SET_DENY_WRITE]	= NUMBER("deny_write", 0, 1),
};

static const char * const count_names[HOOKS_NR_COUNTS] = {
	[COUNT_MMAP]		= "mmap",
	[COUNT_MMAP_PREPARE]	= "mmap_prepare",
	[COUNT_MAPPED]		= "mapped",
	[COUNT_GET_UNMAPPED_AREA] = "get_unmapped_area",
	[COUNT_FADVISE]		= "fadvise",
	[COUNT_OPEN]		= "open",
	[COUNT_CLOSE]		= "close",
	[COUNT_MAY_SPLIT]	= "may_split",
	[COUNT_SPLIT_AT]	= "split_at",
	[COUNT_MREMAP]		= "mremap",
	[COUNT_MREMAP_TO]	= "mremap_to",
	[COUNT_MPROTECT]	= "mprotect",
	[COUNT_FAULT]		= "fault",
	[COUNT_FAULT_TRIED]	= "fault_tried",
	[COUNT_HUGE_FAULT]	= "huge_fault",
	[COUNT_PAGE_MKWRITE]	= "page_mkwrite",
	[COUNT_PFN_MKWRITE]	= "pfn_mkwrite",
	[COUNT_ACCESS]		= "access",
	[COUNT_NAME]		= "name",
	[COUNT_SET_POLICY]	= "set_policy",
	[COUNT_UFFD_ALLOC]	= "uffd_alloc",
	[COUNT_UFFD_ADD]	= "uffd_add",
	[COUNT_UFFD_REMOVE]	= "uffd_remove",
	[COUNT_DIRTY_FOLIO]	= "dirty_folio",
	[COUNT_CALLED]		= "called",
	[COUNT_LEFT]		= "left",
};

/**
 * hooks_page() - the page for an offset
 * @hf: the open file
 * @pgoff: the offset in pages
 *
 * Return: the page, which lives as long as @hf; NULL: past the last one.
 */
struct page *hooks_page(const struct hooks_file *hf, pgoff_t pgoff)
{
	pgoff_t nr = pgoff >> hf->order;

	if (nr >= hf->nr_folios)
		return NULL;
	return folio_page(hf->folios[nr], pgoff & ((1UL << hf->order) - 1));
}

/**
 * hooks_free_pages() - free the pages
 * @hf: the open file
 *
 * A pinned page stays with whoever pinned it, without our address_space.
 */
void hooks_free_pages(struct hooks_file *hf)
{
	while (hf->nr_folios) {
		struct folio *folio = hf->folios[--hf->nr_folios];

		folio_lock(folio);
		folio->mapping = NULL;
		folio_unlock(folio);
		folio_put(folio);
	}
}

static int hooks_alloc_pages(struct hooks_file *hf, unsigned int order)
{
	unsigned int nr = order ? 1 : HOOKS_NR_PAGES;
	pgoff_t pgoff;

	hf->order = order;
	while (hf->nr_folios < nr) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP |
						__GFP_NOWARN, order);

		if (!page) {
			hooks_free_pages(hf);
			return -ENOMEM;
		}
		hf->folios[hf->nr_folios++] = page_folio(page);
	}
	for (pgoff = 0; pgoff < nr << order; pgoff++) {
		struct page *page = hooks_page(hf, pgoff);

		memset(page_address(page), 'a' + pgoff % 26, PAGE_SIZE);
		if (pgoff < HOOKS_NR_PAGES)
			hf->pages[pgoff] = page;
	}
	return 0;
}

/* Makes the pages look like a file's, though no lookup finds them. */
static void hooks_set_mapping(struct hooks_file *hf, bool on)
{
	unsigned int i;

	for (i = 0; i < hf->nr_folios; i++) {
		hf->folios[i]->mapping = on ? hf->inode->i_mapping : NULL;
		hf->folios[i]->index = (pgoff_t)i << hf->order;
	}
}

/* Copies the hook from hooks_vm_ops, or removes it. */
static void hooks_set_op(struct hooks_file *hf, size_t offset, bool on)
{
	void *slot = (char *)hf->ops + offset;

	if (on)
		memcpy(slot, (const char *)&hooks_vm_ops + offset, sizeof(void *));
	else
		memset(slot, 0, sizeof(void *));
}

static int hooks_deny_write(struct hooks_file *hf, bool on)
{
	if (on == hooks_get(hf, SET_DENY_WRITE))
		return 0;
	if (on)
		return mapping_deny_writable(hf->inode->i_mapping);
	mapping_allow_writable(hf->inode->i_mapping);
	return 0;
}

/* Whether a mapping was made, which uses the pages and the operations. */
static bool hooks_used(struct hooks_file *hf)
{
	return atomic_long_read(&hf->count[COUNT_MMAP]) ||
	       atomic_long_read(&hf->count[COUNT_MMAP_PREPARE]);
}

static int hooks_set(struct hooks_file *hf, enum hooks_setting setting,
		     long value)
{
	int err = 0;

	switch (setting) {
	case SET_TIMES:
		atomic_long_set(&hf->times, value);
		break;
	case SET_ORDER:
		if (hooks_used(hf) || hooks_get(hf, SET_MAPPING))
			return -EBUSY;
		hooks_free_pages(hf);
		err = hooks_alloc_pages(hf, value);
		break;
	case SET_SIZE:
		i_size_write(hf->inode, (loff_t)value << PAGE_SHIFT);
		break;
	case SET_MAPPING:
		if (hooks_used(hf))
			return -EBUSY;
		hooks_set_mapping(hf, value);
		break;
	case SET_DENY_WRITE:
		err = hooks_deny_write(hf, value);
		break;
	default:
		break;
	}
	if (!err)
		WRITE_ONCE(hf->set[setting], value);
	return err;
}

/* Return: 0, with the word's value; for flags, the sum of several. */
static int hooks_parse_words(const struct hooks_word *words, char *text,
			     long *value)
{
	const struct hooks_word *w;
	char *word;

	*value = 0;
	while ((word = strsep(&text, "|"))) {
		if (text && words != vm_flags_words)
			return -EINVAL;
		for (w = words; w->word && strcmp(w->word, word); w++)
			;
		if (!w->word)
			return -EINVAL;
		*value |= w->value;
	}
	return 0;
}

static int hooks_parse_value(const struct hooks_setting_info *info, char *text,
			     long *value)
{
	int err;

	if (info == &settings[SET_CALL]) {
		*value = hooks_call_find(text);
		return min(*value, 0L);
	}
	if (info->words)
		return hooks_parse_words(info->words, text, value);
	err = kstrtol(text, 0, value);
	if (err)
		return err;
	return *value < info->min || *value > info->max ? -ERANGE : 0;
}

/* Whether the hook at @offset exists; it must stay while it is in use. */
static bool hooks_has_op(struct hooks_file *hf, size_t offset)
{
	void *slot;

	memcpy(&slot, (const char *)hf->ops + offset, sizeof(slot));
	return slot;
}

/**
 * hooks_parse_line() - change one setting
 * @hf: the open file
 * @line: "NAME VALUE"; destroyed
 *
 * Context: process context, may sleep; hf->lock is held.
 * Return: 0; -EINVAL: unknown name or word; -ERANGE; -EBUSY: too late to change
 * it; -ENOMEM.
 */
int hooks_parse_line(struct hooks_file *hf, char *line)
{
	const struct hooks_setting_info *info = settings;
	char *name = strsep(&line, " ");
	bool on;
	long value;
	int err;

	while (strcmp(info->name, name))
		if (++info == settings + HOOKS_NR_SETTINGS)
			return -EINVAL;
	if (!line)
		return -EINVAL;
	on = !info->is_hook || strcmp(line, "none");
	if (info->is_hook && on != hooks_has_op(hf, info->offset)) {
		if (hooks_used(hf))
			return -EBUSY;
		hooks_set_op(hf, info->offset, on);
	}
	if (!on)
		return 0;
	err = hooks_parse_value(info, line, &value);
	return err ?: hooks_set(hf, info - settings, value);
}

/**
 * hooks_set_default() - set what a newly opened file has
 * @hf: the open file, all zero
 *
 * Return: 0, or -ENOMEM.
 */
int hooks_set_default(struct hooks_file *hf)
{
	hf->ops = kzalloc_obj(*hf->ops);
	if (!hf->ops)
		return -ENOMEM;
	hooks_set_op(hf, settings[SET_OPEN].offset, true);
	hooks_set_op(hf, settings[SET_CLOSE].offset, true);
	hooks_set_op(hf, settings[SET_FAULT].offset, true);
	hf->set[SET_TIMES] = -1;
	return hooks_alloc_pages(hf, 0);
}

/**
 * hooks_print() - write all counters and results as text
 * @hf: the open file
 * @text: the buffer
 * @size: its size
 *
 * Return: the length of all lines.
 */
int hooks_print(struct hooks_file *hf, char *text, size_t size)
{
	struct folio *folio = hf->folios[0];
	int i, len = 0;

	for (i = 0; i < HOOKS_NR_COUNTS; i++)
		len += scnprintf(text + len, size - len, "%s: %ld\n",
				 count_names[i],
				 atomic_long_read(&hf->count[i]));
	/* Of the first page: what is mapped has references beyond ours. */
	len += scnprintf(text + len, size - len, "refs: %d\ndirty: %d\n",
			 folio_ref_count(folio), folio_test_dirty(folio));
	return len;
}
