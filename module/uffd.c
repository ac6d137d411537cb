// SPDX-License-Identifier: GPL-2.0-only
/*
 * userfaultfd(2): a program hears of accesses to a mapping, and they wait for it.
 *
 * The core asks the driver which modes a mapping can have. We allow those for
 * which the PTE says it all, and the core tells the program: write-protection
 * (mm/memory.c, do_wp_page()), and protection from any access (do_uffd_rwp()).
 * Who waits there holds none of our locks, unless a write(2) takes its bytes from
 * such a mapping: then the inode's, and SIGKILL ends it.
 *
 * No write escapes the marks. A write waits before ->page_mkwrite, not instead of
 * it. And when the program lifts the protection, the core makes a PTE writable
 * only if it is dirty (mm/mprotect.c, can_change_shared_pte_writable()): a page
 * that lacks a mark has no dirty PTE, as folio_mkclean() cleans them all.
 *
 * Missing pages and minor faults we cannot offer, for two reasons. ->fault finds
 * them, and would have to call handle_userfault(), as mm/shmem.c does: it is not
 * exported. And nothing could resolve them: UFFDIO_COPY, UFFDIO_ZEROPAGE and
 * UFFDIO_CONTINUE map no page past the size of vm_file's own inode
 * (mm/userfaultfd.c, mfill_file_over_size()), which is a node's: 0.
 */
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "vma.h"

#if MMAPDEMO_HAVE_UFFD_OPS
static bool uffd_can_userfault(struct vm_area_struct *vma, vm_flags_t vm_flags)
{
	return !(vm_flags & (VM_UFFD_MISSING | VM_UFFD_MINOR));
}

/*
 * UFFDIO_COPY and UFFDIO_ZEROPAGE call this in any range that has a userfaultfd,
 * whatever its modes, without looking whether it is there. NULL, for which they
 * fail with ENOMEM, is what tmpfs returns past the end of a file.
 */
static struct folio *uffd_alloc_folio(struct vm_area_struct *vma,
				      unsigned long addr)
{
	return NULL;
}

const struct vm_uffd_ops mmapdemo_uffd_ops = {
	.can_userfault	= uffd_can_userfault,
	.alloc_folio	= uffd_alloc_folio,
};
#endif /* MMAPDEMO_HAVE_UFFD_OPS */
