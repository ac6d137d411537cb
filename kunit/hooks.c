// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nodes of mmapdemo_hooks, and how a test tells the hooks what to do.
 *
 *   /dev/mmapdemo_hooks           .mmap, .get_unmapped_area, .fadvise
 *   /dev/mmapdemo_hooks_bare      none of them
 *   /dev/mmapdemo_hooks_prepare   .mmap_prepare, where the kernel has it
 *
 * Each open file has its own settings. write(2) takes lines "NAME VALUE":
 *
 *   may_split -5          the hook exists, and returns -EIO
 *   may_split none        there is no hook (vm_operations.may_split is NULL)
 *   fault sigsegv         words instead of numbers, see the tables below
 *   times 3               only the first three times; then the default again
 *   vm_flags io|pfnmap    what .mmap adds
 *   call insert_twice     what .mmap calls, see hooks_call.c
 *
 * and read(2) returns all counters and results as lines "NAME: NUMBER". By
 * default there are open, close and fault, and fault returns a page.
 *
 * Misuse is as safe as a driver can make it: settings to which the core would
 * answer with a BUG are refused, and endless retries end with SIGKILL.
 */
#include <linux/capability.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "hooks.h"

/* The most that is written or read at a time. */
#define TEXT_MAX	PAGE_SIZE

static struct vfsmount *hooks_mnt;

/* As set_page_dirty without buffers, but for the counter. */
static bool hooks_dirty_folio(struct address_space *mapping,
			      struct folio *folio)
{
	hooks_inc(mapping->host->i_private, COUNT_DIRTY_FOLIO);
	return noop_dirty_folio(mapping, folio);
}

static const struct address_space_operations hooks_aops = {
	.dirty_folio	= hooks_dirty_folio,
};

static ssize_t hooks_write(struct file *file, const char __user *buf,
			   size_t size, loff_t *pos)
{
	struct hooks_file *hf = hooks_file(file);
	char *text, *next, *line;
	int err = 0;

	if (size > TEXT_MAX)
		return -EINVAL;
	text = memdup_user_nul(buf, size);
	if (IS_ERR(text))
		return PTR_ERR(text);
	next = text;
	mutex_lock(&hf->lock);
	while (!err && (line = strsep(&next, "\n")))
		if (*line)
			err = hooks_parse_line(hf, line);
	mutex_unlock(&hf->lock);
	kfree(text);
	return err ?: size;
}

static ssize_t hooks_read(struct file *file, char __user *buf, size_t size,
			  loff_t *pos)
{
	char *text = kmalloc(TEXT_MAX, GFP_KERNEL);
	ssize_t ret;

	if (!text)
		return -ENOMEM;
	ret = simple_read_from_buffer(buf, size, pos, text,
				      hooks_print(hooks_file(file), text,
						  TEXT_MAX));
	kfree(text);
	return ret;
}

/* Private copies of device memory are impossible: the core would BUG. */
static bool hooks_flags_ok(vm_flags_t flags)
{
	if (!(flags & VM_PFNMAP))
		return true;
	return !(flags & VM_MIXEDMAP) &&
	       (flags & (VM_SHARED | VM_MAYWRITE)) != VM_MAYWRITE;
}

static int hooks_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct hooks_file *hf = hooks_file(file);
	vm_flags_t flags = hooks_get(hf, SET_VM_FLAGS);

	hooks_use(hf, COUNT_MMAP);
	if (!hooks_flags_ok(vma->vm_flags | flags))
		return -EINVAL;
	vm_flags_set(vma, flags);
	if (hooks_get(hf, SET_OPS) == OPS_SET)
		vma->vm_ops = hf->ops;
	else if (hooks_get(hf, SET_OPS) == OPS_NULL)
		vma->vm_ops = NULL;
	hooks_note(hf, COUNT_CALLED,
		   hooks_call(vma, hooks_get(hf, SET_CALL)));
	return hooks_get(hf, SET_MMAP);
}

/* For memory whose address needs a certain alignment or colour. */
static unsigned long hooks_get_unmapped_area(struct file *file,
					     unsigned long addr,
					     unsigned long len,
					     unsigned long pgoff,
					     unsigned long flags)
{
	struct hooks_file *hf = hooks_file(file);

	hooks_inc(hf, COUNT_GET_UNMAPPED_AREA);
	return hooks_get(hf, SET_GET_UNMAPPED_AREA) ?:
	       mm_get_unmapped_area(file, addr, len, pgoff, flags);
}

/* For a driver with a cache that can be filled or emptied in advance. */
static int hooks_fadvise(struct file *file, loff_t offset, loff_t len,
			 int advice)
{
	struct hooks_file *hf = hooks_file(file);

	hooks_inc(hf, COUNT_FADVISE);
	return hooks_get(hf, SET_FADVISE);
}

static struct inode *hooks_create_inode(struct hooks_file *hf)
{
	struct inode *inode = alloc_anon_inode(hooks_mnt->mnt_sb);

	if (!IS_ERR(inode)) {
		inode->i_mapping->a_ops = &hooks_aops;
		inode->i_private = hf;
	}
	return inode;
}

/* Root only: such mappings can hang a process. */
static int hooks_file_open(struct inode *inode, struct file *file)
{
	struct hooks_file *hf;
	int err = -ENOMEM;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	hf = kzalloc_obj(*hf);
	if (!hf)
		return -ENOMEM;
	mutex_init(&hf->lock);
	hf->inode = hooks_create_inode(hf);
	if (IS_ERR(hf->inode)) {
		err = PTR_ERR(hf->inode);
		goto err_hf;
	}
	err = hooks_set_default(hf);
	if (err)
		goto err_inode;
	file->private_data = hf;
	file->f_mapping = hf->inode->i_mapping;
	return 0;

err_inode:
	iput(hf->inode);
err_hf:
	kfree(hf->ops);
	kfree(hf);
	return err;
}

/* Each VMA holds the file: none is left to use the pages. */
static int hooks_file_release(struct inode *inode, struct file *file)
{
	struct hooks_file *hf = hooks_file(file);

	hooks_free_pages(hf);
	iput(hf->inode);
	kfree(hf->ops);
	kfree(hf);
	return 0;
}

#define HOOKS_FOPS				\
	.owner		= THIS_MODULE,		\
	.open		= hooks_file_open,	\
	.release	= hooks_file_release,	\
	.read		= hooks_read,		\
	.write		= hooks_write,		\
	.llseek		= default_llseek

static const struct file_operations hooks_fops = {
	HOOKS_FOPS,
	.mmap			= hooks_mmap,
	.get_unmapped_area	= hooks_get_unmapped_area,
	.fadvise		= hooks_fadvise,
};

static const struct file_operations hooks_bare_fops = {
	HOOKS_FOPS,
};

#if MMAPDEMO_HAVE_MMAP_PREPARE
static const struct file_operations hooks_prepare_fops = {
	HOOKS_FOPS,
	.mmap_prepare	= hooks_mmap_prepare,
};
#endif

#define HOOKS_MISC(_name, _fops) {			\
	.minor = MISC_DYNAMIC_MINOR, .mode = 0600,	\
	.name = _name, .fops = _fops			\
}

static struct miscdevice hooks_misc[] = {
	HOOKS_MISC("mmapdemo_hooks", &hooks_fops),
	HOOKS_MISC("mmapdemo_hooks_bare", &hooks_bare_fops),
#if MMAPDEMO_HAVE_MMAP_PREPARE
	HOOKS_MISC("mmapdemo_hooks_prepare", &hooks_prepare_fops),
#endif
};

static int hooks_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, 0x686f6f6b /* "hook" */) ? 0 : -ENOMEM;
}

/* No .owner: the mount below would pin the module for ever. */
static struct file_system_type hooks_fs_type = {
	.name			= "mmapdemo_hooks",
	.init_fs_context	= hooks_init_fs_context,
	.kill_sb		= kill_anon_super,
};

static void hooks_deregister(unsigned int nr)
{
	while (nr)
		misc_deregister(&hooks_misc[--nr]);
}

static int __init hooks_init(void)
{
	unsigned int nr;
	int err;

	hooks_mnt = kern_mount(&hooks_fs_type);
	if (IS_ERR(hooks_mnt))
		return PTR_ERR(hooks_mnt);
	for (nr = 0; nr < ARRAY_SIZE(hooks_misc); nr++) {
		err = misc_register(&hooks_misc[nr]);
		if (err)
			goto err_deregister;
	}
	return 0;

err_deregister:
	hooks_deregister(nr);
	kern_unmount(hooks_mnt);
	return err;
}

static void __exit hooks_exit(void)
{
	hooks_deregister(ARRAY_SIZE(hooks_misc));
	kern_unmount(hooks_mnt);
}

module_init(hooks_init);
module_exit(hooks_exit);

MODULE_DESCRIPTION("Hooks of mmap(2) that answer as they are told, for tests");
MODULE_LICENSE("GPL");
