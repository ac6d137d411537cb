// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proves why /dev/mmapdemo lets no userfaultfd hear of missing pages: a driver
 * that says it does is believed, but nobody is ever told, and no page is filled.
 *
 * The ids (V03, ...) name the branches of mmap that a test proves.
 * Needs: Linux 7.3 with CONFIG_USERFAULTFD; see hooks.h.
 */
#include "hooks.h"
#include "uffd.h"

HOOKS_FIXTURE(hooks_uffd, HOOKS)

TEST_F(hooks_uffd, V03_V10_claims_all)
{
	int uffd = open_uffd(0);
	char *p;

	if (kernel_before(7, 3))
		SKIP(return, "needs vm_uffd_ops, which is in Linux 7.3");
	if (missing(uffd))
		SKIP(return, "needs %s", missing(uffd));
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, hooks_set(self->fd, "uffd_ops 0\nmapping 1"));
	p = map_shared(_metadata, self->fd, 0, 4);
	EXPECT_EQ(0, watch(uffd, p, 2, MISSING));
	EXPECT_EQ(0, watch(uffd, p + 2 * page_size, 2, MINOR));

	/* ->fault cannot call handle_userfault(), and nobody else does. */
	EXPECT_EQ(hooks_letter(0), read_byte(p));
	EXPECT_EQ(hooks_letter(2), read_byte(p + 2 * page_size));
	EXPECT_TRUE(uffd_is_silent(uffd));

	/* mfill_file_over_size() asks the node how long the file is. */
	ASSERT_EQ(0, hooks_set(self->fd, "size 4"));
	EXPECT_EQ(EFAULT, uffd_copy(uffd, p + page_size));
	EXPECT_EQ(1, hooks_read(self->fd, "uffd_alloc"));
	EXPECT_EQ(1, hooks_read(self->fd, "uffd_add"));
	EXPECT_EQ(1, hooks_read(self->fd, "uffd_remove"));
	EXPECT_EQ(EFAULT, uffd_zero(uffd, p + page_size));
	EXPECT_EQ(2, hooks_read(self->fd, "uffd_remove"));
	EXPECT_EQ(hooks_letter(1), read_byte(p + page_size));
	close(uffd);
}

TEST_HARNESS_MAIN
