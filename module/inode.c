// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inode that the store's pages live in.
 *
 * Not the device node's: each node made with mknod has an inode and an
 * address_space of its own, and unmap_mapping_range() on one would miss the
 * mappings of the others. mmapdemo_open() points every file at this one.
 *
 * The core must never reclaim these pages: there is no other copy of the data.
 * Five things prevent it: the pages are not on the LRU; the inode is on no list
 * that drop_caches walks (fs/libfs.c, alloc_anon_inode()); its backing_dev_info
 * is the no-op one, for which POSIX_FADV_DONTNEED does nothing (mm/fadvise.c,
 * generic_fadvise()); no function that expects the page cache's references gets
 * to see the pages; and where one does, ->release_folio refuses.
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>

#include "compat.h"
#include "pool.h"
#include "store.h"
#include "write.h"

static struct vfsmount *store_mnt;

/*
 * A page that is poisoned after ->fault has looked at it: the core takes it for
 * one of the page cache, and tries to evict it (mm/memory.c, __do_fault();
 * mm/truncate.c, mapping_evict_folio()). As PG_private is set, it asks first.
 */
static bool store_release_folio(struct folio *folio, gfp_t gfp)
{
	return false;
}

static const struct address_space_operations store_aops = {
	.dirty_folio	= mmapdemo_dirty_folio,
	.release_folio	= store_release_folio,
};

static int store_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, 0x6d6d6170 /* "mmap" */) ? 0 : -ENOMEM;
}

/* No .owner: the mount below would pin the module for ever. */
static struct file_system_type store_fs_type = {
	.name			= "mmapdemo",
	.init_fs_context	= store_init_fs_context,
	.kill_sb		= kill_anon_super,
};

/**
 * mmapdemo_store_init() - make an empty store
 * @store: uninitialised memory, owned by the caller
 * @pool: supplies its pages; outlives the store
 * @device: number of the device
 * @size: size of the device in bytes, a multiple of the page size
 * @log: whether it keeps a dirty log
 *
 * Context: process context, may sleep.
 * Return: 0, or -ENOMEM.
 */
int mmapdemo_store_init(struct mmapdemo_store *store,
			struct mmapdemo_pool *pool, unsigned int device,
			loff_t size, bool log)
{
	struct inode *inode = alloc_anon_inode(store_mnt->mnt_sb);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	inode->i_mapping->a_ops = &store_aops;
	inode->i_private = store;
	i_size_write(inode, size);

	store->pool = pool;
	store->stats = pool->stats;
	store->inode = inode;
	store->device = device;
	store->log = log;
	store->nr_dirty = 0;
	store->trimmed = true;
	INIT_WORK(&store->trim, mmapdemo_store_trim);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_init);

/**
 * mmapdemo_store_fini() - put all pages back and drop the inode
 * @store: the store; no file or VMA refers to it any more
 *
 * i_pages must be empty when the inode's last reference goes, or clear_inode()
 * BUGs.
 *
 * Context: process context, may sleep.
 */
void mmapdemo_store_fini(struct mmapdemo_store *store)
{
	cancel_work_sync(&store->trim);
	/* All of it, even for an rmmod that was killed. */
	while (mmapdemo_store_discard(store, 0, ULONG_MAX))
		cond_resched();
	WARN_ON(mmapdemo_store_mapping(store)->nrpages);
	iput(store->inode);
}
EXPORT_SYMBOL_IF_KUNIT(mmapdemo_store_fini);

/**
 * mmapdemo_store_module_init() - mount the filesystem that the inodes live on
 *
 * Context: process context, may sleep.
 * Return: 0, or an errno of kern_mount().
 */
int mmapdemo_store_module_init(void)
{
	store_mnt = kern_mount(&store_fs_type);
	return PTR_ERR_OR_ZERO(store_mnt);
}

/**
 * mmapdemo_store_module_exit() - unmount it; no store is left
 *
 * Context: process context, may sleep.
 */
void mmapdemo_store_module_exit(void)
{
	kern_unmount(store_mnt);
}
