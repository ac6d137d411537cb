/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is measured, and next to what: the device in both fault modes, one without
 * a dirty log (devices=2 dirty_log=1,0), and its peers, as objects of some pages
 * that can be mapped. Each measurement makes one anew.
 */
#ifndef BENCH_SUBJECTS_H
#define BENCH_SUBJECTS_H

#include "bench_util.h"

#include <linux/memfd.h>
#include <linux/udmabuf.h>

/* Room for the extents of one page in ten of 1 GiB, no two of them neighbours. */
#define MAX_EXTENTS	32768

#define DEVICE		"/dev/mmapdemo"
#define DEVICE_NO_LOG	"/dev/mmapdemo1"
#define FAULT_MODE	"/sys/module/mmapdemo/parameters/fault_mode"

/* From drm_mode.h, which is not everywhere: a plain buffer of a DRM device. */
struct dumb_create {
	__u32 height;
	__u32 width;
	__u32 bpp;
	__u32 flags;
	__u32 handle;
	__u32 pitch;
	__u64 size;
};

struct dumb_map {
	__u32 handle;
	__u32 pad;
	__u64 offset;
};

#define DUMB_CREATE	_IOWR('d', 0xB2, struct dumb_create)
#define DUMB_MAP	_IOWR('d', 0xB3, struct dumb_map)

/* What an operation may need of its subject. */
enum trait {
	HOLES	= 0x01,	/* a page comes into being when it is touched */
	KEEPS	= 0x02,	/* its pages outlive a mapping */
	COMMON	= 0x04,	/* the core knows its pages: no VM_PFNMAP */
	IO	= 0x08,	/* read(2) and write(2) */
	TRACKS	= 0x10,	/* it can be told which pages were written */
	PUNCHES	= 0x20,	/* pages can be dropped again */
	POOL	= 0x40,	/* has a pool of pages */
	AGAIN	= 0x80,	/* mmap(2) can map the same pages again */
	LOG	= 0x100, /* has a dirty log */
};

/* Why there is no figure where one of these is missing. */
static const struct {
	enum trait trait;
	const char *reason;
} reasons[] = {
	{ HOLES,	"its pages are made before it can be mapped" },
	{ KEEPS,	"its pages go with the mapping" },
	{ COMMON,	"VM_PFNMAP: the core will not populate it" },
	{ IO,		"has no read(2) and write(2)" },
	{ TRACKS,	"VM_PFNMAP: no write is tracked" },
	{ PUNCHES,	"its pages cannot be dropped one by one" },
	{ POOL,		"has no pool of pages of its own" },
	{ AGAIN,	"mmap(2) cannot map its pages again" },
};

struct object {
	const struct subject *subject;
	size_t nr_pages;
	int fd;			/* or -1 */
	off_t offset;		/* where the object is in the file */
	int memfd;		/* of a udmabuf: what it is made of */
	char *anchor;		/* a mapping without which it would vanish */
};

struct subject {
	const char *name;
	unsigned int traits;
	/* Return: whether the kernel has it. */
	bool (*create)(struct object *obj);
	void (*destroy)(struct object *obj);
	/* Drops all pages. */
	void (*punch)(struct object *obj, char *p);
};

static size_t object_len(const struct object *obj)
{
	return obj->nr_pages * page_size;
}

static void device_punch(struct object *obj, char *p)
{
	struct mmapdemo_discard arg = { .len = object_len(obj) };

	(void)p;
	must("DISCARD", ioctl(obj->fd, MMAPDEMO_IOC_DISCARD, &arg));
}

static void device_create(struct object *obj, const char *path,
			  const char *fault_mode)
{
	struct mmapdemo_resize arg = { .size = object_len(obj) };

	write_file(FAULT_MODE, fault_mode);
	obj->fd = must(path, open(path, O_RDWR));
	must("RESIZE", ioctl(obj->fd, MMAPDEMO_IOC_RESIZE, &arg));
	device_punch(obj, NULL);
}

static bool device_create_plain(struct object *obj)
{
	device_create(obj, DEVICE, "map_pages");
	return true;
}

static bool device_create_no_log(struct object *obj)
{
	if (access(DEVICE_NO_LOG, F_OK))
		return false;
	device_create(obj, DEVICE_NO_LOG, "map_pages");
	return true;
}

static bool device_create_insert(struct object *obj)
{
	device_create(obj, DEVICE, "insert");
	return true;
}

static void device_destroy(struct object *obj)
{
	device_punch(obj, NULL);
	close(obj->fd);
}

static int memfd(size_t len, unsigned int seals)
{
	int fd = must("memfd_create",
		      memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	must("ftruncate", ftruncate(fd, len));
	if (seals)
		must("F_ADD_SEALS", fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static bool memfd_object(struct object *obj)
{
	obj->fd = memfd(object_len(obj), 0);
	return true;
}

static void close_file(struct object *obj)
{
	close(obj->fd);
}

static void memfd_punch(struct object *obj, char *p)
{
	(void)p;
	must("fallocate",
	     fallocate(obj->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		       object_len(obj)));
}

static bool shared_create(struct object *obj)
{
	obj->anchor = must_map(mmap(NULL, object_len(obj),
				    PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	return true;
}

static void unmap_anchor(struct object *obj)
{
	munmap(obj->anchor, object_len(obj));
}

static void shared_punch(struct object *obj, char *p)
{
	must("MADV_REMOVE", madvise(p, object_len(obj), MADV_REMOVE));
}

static bool private_create(struct object *obj)
{
	(void)obj;
	return true;
}

static void private_destroy(struct object *obj)
{
	(void)obj;
}

static void private_punch(struct object *obj, char *p)
{
	must("MADV_DONTNEED", madvise(p, object_len(obj), MADV_DONTNEED));
}

static bool udmabuf_create(struct object *obj)
{
	struct udmabuf_create arg = {
		.flags = UDMABUF_FLAGS_CLOEXEC, .size = object_len(obj),
	};
	int fd = open("/dev/udmabuf", O_RDWR);

	if (fd < 0)
		return false;
	obj->memfd = memfd(object_len(obj), F_SEAL_SHRINK);
	arg.memfd = obj->memfd;
	obj->fd = must("UDMABUF_CREATE", ioctl(fd, UDMABUF_CREATE, &arg));
	close(fd);
	return true;
}

static void udmabuf_destroy(struct object *obj)
{
	close(obj->fd);
	close(obj->memfd);
}

/* Its pages are there for as long as it is mapped. */
static bool vgem_create(struct object *obj)
{
	/* A row of 32-bit pixels is a page. */
	struct dumb_create buffer = {
		.height = obj->nr_pages, .width = page_size / 4, .bpp = 32,
	};
	struct dumb_map map = { 0 };

	obj->fd = open("/dev/dri/card0", O_RDWR);
	if (obj->fd < 0)
		return false;
	must("DUMB_CREATE", ioctl(obj->fd, DUMB_CREATE, &buffer));
	map.handle = buffer.handle;
	must("DUMB_MAP", ioctl(obj->fd, DUMB_MAP, &map));
	obj->offset = map.offset;
	obj->anchor = must_map(mmap(NULL, object_len(obj), PROT_READ,
				    MAP_SHARED, obj->fd, obj->offset));
	return true;
}

static void vgem_destroy(struct object *obj)
{
	unmap_anchor(obj);
	close(obj->fd);
}

#define FILE_TRAITS	(HOLES | KEEPS | COMMON | IO | TRACKS | PUNCHES | AGAIN)

static const struct subject subjects[] = {
	{ "device", FILE_TRAITS | POOL | LOG,
	  device_create_plain, device_destroy, device_punch },
	{ "insert", FILE_TRAITS | POOL | LOG,
	  device_create_insert, device_destroy, device_punch },
	{ "nolog", (FILE_TRAITS & ~TRACKS) | POOL,
	  device_create_no_log, device_destroy, device_punch },
	{ "memfd", FILE_TRAITS,
	  memfd_object, close_file, memfd_punch },
	{ "shared", HOLES | KEEPS | COMMON | TRACKS | PUNCHES,
	  shared_create, unmap_anchor, shared_punch },
	{ "private", HOLES | COMMON | TRACKS | PUNCHES,
	  private_create, private_destroy, private_punch },
	{ "udmabuf", KEEPS | AGAIN, udmabuf_create, udmabuf_destroy, NULL },
	{ "vgem", KEEPS | AGAIN, vgem_create, vgem_destroy, NULL },
};

static const struct subject *subject_by_name(const char *name)
{
	const struct subject *subject = subjects;

	while (strcmp(subject->name, name))
		subject++;
	return subject;
}

static bool object_create(struct object *obj, const struct subject *subject,
			  size_t nr_pages)
{
	*obj = (struct object){
		.subject = subject, .nr_pages = nr_pages, .fd = -1,
	};
	return subject->create(obj);
}

static void object_destroy(struct object *obj)
{
	obj->subject->destroy(obj);
}

/* A mapping of all of it that has no page in its page table yet. */
static char *object_map(struct object *obj, int flags)
{
	int prot = PROT_READ | PROT_WRITE;
	size_t len = object_len(obj);

	if (obj->fd >= 0)
		return must_map(mmap(NULL, len, prot, MAP_SHARED | flags,
				     obj->fd, obj->offset));
	/* An old size of 0 asks for a second mapping of shared memory. */
	if (obj->anchor)
		return must_map(mremap(obj->anchor, 0, len, MREMAP_MAYMOVE));
	/* It may be larger than memory, and then is not all touched. */
	flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	return must_map(mmap(NULL, len, prot, flags, -1, 0));
}

static void object_unmap(struct object *obj, char *p)
{
	must("munmap", munmap(p, object_len(obj)));
}

static void write_pages(struct object *obj, char *p)
{
	size_t i;

	for (i = 0; i < obj->nr_pages; i++)
		write_byte(p + i * page_size, 1);
}

static void read_pages(struct object *obj, char *p)
{
	size_t i;

	for (i = 0; i < obj->nr_pages; i++)
		read_byte(p + i * page_size);
}

/* All of the device's dirty log. Return: how many pages; they are clean now. */
static size_t object_harvest(struct object *obj)
{
	static struct mmapdemo_extent extents[MAX_EXTENTS];
	struct mmapdemo_dirty_log arg = {
		.len = object_len(obj), .extents = (uintptr_t)extents,
		.flags = MMAPDEMO_DIRTY_LOG_CLEAR,
	};
	size_t found = 0;
	__u32 i;

	while (arg.len) {
		arg.nr_extents = MAX_EXTENTS;
		must("DIRTY_LOG", ioctl(obj->fd, MMAPDEMO_IOC_DIRTY_LOG, &arg));
		for (i = 0; i < arg.nr_extents; i++)
			found += extents[i].len / page_size;
	}
	return found;
}

/*
 * Cleans all pages, which are mapped at @p or nowhere: the device's are neither
 * unsynced nor in the dirty log afterwards, and memory has no soft-dirty bits.
 */
static void object_clean(struct object *obj)
{
	if (obj->subject->traits & LOG) {
		must("fsync", fsync(obj->fd));
		object_harvest(obj);
	} else {
		write_file("/proc/self/clear_refs", "4");
	}
}

/* Has the device log each page anew; nothing else logs what is not mapped. */
static void object_log_anew(struct object *obj)
{
	if (obj->subject->traits & LOG)
		object_clean(obj);
}

/* Makes all pages present, written to, and mapped nowhere that matters. */
static void object_fill(struct object *obj)
{
	char *p;

	if (!(obj->subject->traits & HOLES))
		return;
	p = object_map(obj, 0);
	write_pages(obj, p);
	object_unmap(obj, p);
}

#endif /* BENCH_SUBJECTS_H */
