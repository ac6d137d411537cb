// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guided walk along what a mapping does, on /dev/mmapdemo. Each step says
 * what it is about to do, does it, and shows what the kernel counted meanwhile;
 * each figure is checked.
 *
 * One plain C program: make tour. Needs the module, root and debugfs.
 * Exit status: 0 all as it should be; 1 a check failed; 2 bad usage, or
 * something is missing.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "tour_util.h"

/* How many pages one read fault may map, this device's mode considered. */
static size_t fault_around_pages(void)
{
	long bytes = read_number(insert_mode() ? PARAMETERS "fault_around" :
				 "/sys/kernel/debug/fault_around_bytes");

	return bytes > (long)page ? bytes / page : 1;
}

static void discard(size_t pgoff, size_t nr)
{
	struct mmapdemo_discard arg = {
		.start = pgoff * page, .len = nr * page,
	};

	if (ioctl(fd, MMAPDEMO_IOC_DISCARD, &arg))
		give_up("tour: %s: %s\n", __func__, strerror(errno));
}

static void tour_mapping_is_free(char *p)
{
	step("Mapping costs nothing",
	     "    mmap(2) has given us addresses for the whole device, and no memory:\n"
	     "    there is nothing behind them until they are touched.");
	check("KiB of addresses (smaps: Size)", smaps_kib(p, "Size:"),
	      device_pages * page / 1024);
	check("KiB of memory behind them (smaps: Rss)", smaps_kib(p, "Rss:"), 0);
	check("pages stored in the device", pool("stored"), 0);
}

static void tour_first_read(char *p)
{
	char byte;

	step("The first read",
	     "    We read one byte of page 0. The processor finds no entry in the page\n"
	     "    table and stops the program: a page fault. The kernel asks the driver\n"
	     "    for the page; it makes one, full of zeros, and the program goes on.");
	begin();
	byte = read_byte(p);
	end();
	check("the byte", byte, 0);
	check("minor faults of this process (getrusage)",
	      after.minor_faults - before.minor_faults, 1);
	check_growth("fault_read", 1);
	check("KiB of memory behind the mapping", smaps_kib(p, "Rss:"),
	      page / 1024);
	check("pages stored in the device", pool("stored"), 1);
}

static void tour_first_write(char *p)
{
	step("The first write",
	     "    We write to page 1, which does not exist, and to page 0, which was\n"
	     "    mapped for reading only, on purpose: so the first write to each page\n"
	     "    is noticed, and the page noted as dirty. Then we write to both again.");
	begin();
	write_byte(p + page, 'a');
	write_byte(p, 'b');
	end();
	check_growth("fault_write", 1);
	check_growth("mkwrite", 2);
	check("dirty pages", pool("dirty"), 2);
	begin();
	write_byte(p + page, 'c');
	write_byte(p, 'd');
	end();
	puts("    The second time the processor does it alone:");
	check("minor faults of this process",
	      after.minor_faults - before.minor_faults, 0);
	check_growth("mkwrite", 0);
}

static void tour_fault_around(char *p)
{
	size_t window = fault_around_pages(), first = 2 * window;
	char *data = calloc(3 * window, page);

	step("Fault-around",
	     "    A fault costs far more than mapping one more page. So when a read\n"
	     "    faults, the pages around it that exist already are mapped as well.\n"
	     "    We store some pages with write(2), then read one byte in their midst.");
	if (pwrite(fd, data, 3 * window * page, first * page) < 0)
		give_up("tour: write: %s\n", strerror(errno));
	free(data);
	check("of these pages, in the device (mincore)",
	      count_stored(p + first * page, 3 * window), 3 * window);
	check("and in our page table (pagemap)",
	      count_mapped(p + first * page, 3 * window), 0);
	begin();
	read_byte(p + (first + window + window / 2) * page);
	end();
	check("minor faults of this process",
	      after.minor_faults - before.minor_faults, 1);
	check("pages that this one fault mapped",
	      count_mapped(p + first * page, 3 * window), window);
	if (insert_mode())
		check_growth("inserted", window);
	else
		check_growth("map_pages", window > 1);
}

static void child_writes_greeting(void *unused)
{
	(void)unused;
	/* An open file and a mapping of its own. */
	fd = open(DEVICE, O_RDWR);
	write_text(map_shared(0, 1), "hello from the child");
}

static void tour_two_processes(char *p)
{
	step("Shared between two processes",
	     "    A child process opens the device, maps page 0 by itself, writes a\n"
	     "    greeting and exits. There is one page, and both have it mapped: what\n"
	     "    one writes is there for the other, with nothing copied.");
	begin();
	in_child(child_writes_greeting, NULL);
	end();
	check_text("what we read", p, "hello from the child");
	check_growth("mkwrite", 1);
	check_growth("pool_allocated", 0);
}

static char *tour_private(char *p)
{
	char *private = map(0, 2, MAP_PRIVATE);

	step("A private copy",
	     "    A mapping made with MAP_PRIVATE shows the same pages, until we write:\n"
	     "    then the kernel gives us a copy of the page, and the device never\n"
	     "    hears of it. This is called copy on write.");
	check_text("the private mapping reads", private, "hello from the child");
	begin();
	write_text(private, "mine alone");
	end();
	check_text("and after our write", private, "mine alone");
	check_text("the shared mapping reads", p, "hello from the child");
	check("KiB copied (smaps: Anonymous)", smaps_kib(private, "Anonymous:"),
	      page / 1024);
	check_growth("mkwrite", 0);
	return private;
}

static char *both[2];

static void child_changes_both(void *unused)
{
	(void)unused;
	write_text(both[0], "changed by the child");
	write_text(both[1], "changed by the child");
}

static void tour_fork(char *shared, char *private)
{
	step("fork",
	     "    A forked child has our mappings as well: the driver is told of each.\n"
	     "    The child writes to the shared page and to our private copy.");
	both[0] = shared;
	both[1] = private;
	begin();
	in_child(child_changes_both, NULL);
	end();
	check_growth("vma_open", 2);
	check_growth("vma_close", 2);
	check_text("the shared mapping reads", shared, "changed by the child");
	check_text("our private copy reads", private, "mine alone");
}

static void tour_read_write(char *p)
{
	char text[32] = "";

	step("read(2) and write(2) see the same pages",
	     "    What a mapping writes, read(2) returns at once; what write(2) writes,\n"
	     "    the mapping shows at once. There is no second copy to be out of date.");
	write_text(p + page, "by a mapping");
	if (pread(fd, text, sizeof(text) - 1, page) < 0)
		give_up("tour: read: %s\n", strerror(errno));
	check_text("read(2) returns", text, "by a mapping");
	begin();
	if (pwrite(fd, "by write(2)", 12, page) != 12)
		give_up("tour: write: %s\n", strerror(errno));
	end();
	check_text("the mapping reads", p + page, "by write(2)");
	check("minor faults of this process",
	      after.minor_faults - before.minor_faults, 0);
}

static void tour_msync(char *p)
{
	/* Those that write(2) stored for step 4, and two written by hand. */
	long dirty = 3 * fault_around_pages() + 2;

	step("msync cleans, and the next write is noticed again",
	     "    The driver marks the pages that were written. msync(2) takes the mark\n"
	     "    off, and the right to write from every page-table entry that maps\n"
	     "    them. We sync, and then write to page 0 twice.");
	check("unsynced pages", pool("unsynced"), dirty);
	begin();
	if (msync(p, device_pages * page, MS_SYNC))
		give_up("tour: msync: %s\n", strerror(errno));
	end();
	check_growth("cleaned", dirty);
	check("unsynced pages", pool("unsynced"), 0);
	begin();
	write_byte(p, 'x');
	write_byte(p, 'y');
	end();
	check_growth("mkwrite", 1);
	check("unsynced pages", pool("unsynced"), 1);
}

static void print_trap(const struct trap *t)
{
	const char *code = "another reason";

	if (t->sig == SIGBUS && t->code == BUS_ADRERR)
		code = "BUS_ADRERR: nothing behind this address";
	else if (t->sig == SIGSEGV && t->code == SEGV_MAPERR)
		code = "SEGV_MAPERR: no mapping here";
	printf("      %s at %p\n      (%s)\n", t->sig ? strsignal(t->sig) :
	       "no signal", t->addr, code);
}

static void tour_sigbus(void)
{
	char *p = map_shared(device_pages - 1, 2);
	struct trap t;

	step("SIGBUS: past the end",
	     "    A mapping may reach past the end of the device, as it may with a file.\n"
	     "    We map its last page and one more. The first is there; for the second\n"
	     "    the driver has nothing to give, and the program gets a signal.");
	check("signal for the last page of the device", try_read(p).sig, 0);
	begin();
	t = try_read(p + page);
	end();
	print_trap(&t);
	check("signal for the page behind it is SIGBUS", t.sig, SIGBUS);
	check("bytes from the mapping's start to the address",
	      (char *)t.addr - p, page);
	check_growth("sigbus_size", 1);
	munmap(p, 2 * page);
}

static void tour_sigsegv(void)
{
	char *p = map_shared(0, 1);
	struct trap t;

	step("SIGSEGV: after munmap",
	     "    We map page 0 once more, unmap it, and read where it was. The kernel\n"
	     "    finds no mapping at that address, and does not ask the driver at all.\n"
	     "    The page itself is still in the device.");
	munmap(p, page);
	begin();
	t = try_read(p);
	end();
	print_trap(&t);
	check("signal is SIGSEGV", t.sig, SIGSEGV);
	check("bytes from the mapping's start to the address",
	      (char *)t.addr - p, 0);
	check_growth("fault_read", 0);
}

static void tour_discard(char *shared, char *private)
{
	long stored = pool("stored");

	step("Discard",
	     "    An ioctl drops all pages of the device while they are mapped. They are\n"
	     "    taken out of every page table first, so that the next access faults,\n"
	     "    and gets a new page. A private copy belongs to its process, and stays.");
	begin();
	discard(0, device_pages);
	end();
	check_growth("discarded", stored);
	check("pages stored in the device", pool("stored"), 0);
	check("KiB behind the shared mapping (smaps: Rss)",
	      smaps_kib(shared, "Rss:"), 0);
	check("the first byte of the shared mapping", shared[0], 0);
	check_text("our private copy reads", private, "mine alone");
}

static void child_maps_three(void *unused)
{
	size_t i;

	(void)unused;
	/* Not next to each other in the device, or they would become one. */
	for (i = 0; i < 3; i++)
		*map_shared(2 * i, 1) = 1;
}

static void tour_exit(void)
{
	step("Exit closes what is open",
	     "    A child makes three mappings and exits without unmapping them. The\n"
	     "    kernel does that for it, as it does for a process that is killed, and\n"
	     "    calls the driver's close handler for each. The pages stay: they\n"
	     "    belong to the device, not to who touched them.");
	begin();
	in_child(child_maps_three, NULL);
	end();
	check_growth("mmap", 3);
	check_growth("vma_close", 3);
	check("pages stored in the device", pool("stored"), 3);
}

static void walk(void)
{
	char *shared = map_shared(0, device_pages), *private;

	tour_mapping_is_free(shared);
	tour_first_read(shared);
	tour_first_write(shared);
	tour_fault_around(shared);
	tour_two_processes(shared);
	private = tour_private(shared);
	tour_fork(shared, private);
	tour_read_write(shared);
	tour_msync(shared);
	tour_sigbus();
	tour_sigsegv();
	tour_discard(shared, private);
	munmap(private, 2 * page);
	munmap(shared, device_pages * page);
	discard(0, device_pages);
	tour_exit();
	discard(0, device_pages);
}

static void open_device(void)
{
	fd = open(DEVICE, O_RDWR);
	if (fd < 0 && errno == ENOENT)
		give_up("tour: there is no " DEVICE ".\n"
			"Load the module first: make load, or insmod mmapdemo.ko\n");
	if (fd < 0)
		give_up("tour: " DEVICE ": %s\n%s", strerror(errno),
			errno == EACCES ? "Run the tour as root.\n" : "");
	if (access(DEBUGFS "stats", R_OK))
		give_up("tour: " DEBUGFS "stats: %s\n"
			"The tour shows the driver's counters. Run it as root; and where debugfs\n"
			"is not mounted: mount -t debugfs none /sys/kernel/debug\n",
			strerror(errno));
	page = sysconf(_SC_PAGESIZE);
	device_pages = lseek(fd, 0, SEEK_END) / page;
}

/* Room for what the steps store, and for a fault-around window in its midst. */
static void require_room(void)
{
	size_t need = 5 * fault_around_pages() + 8, cap = pool("cap");

	if (device_pages < need || cap < need)
		give_up("tour: the device is too small: it needs size and pool_size of at least\n"
			"%zu KiB (they are %zu and %zu KiB).\n", need * page / 1024,
			device_pages * page / 1024, cap * page / 1024);
}

static void require_empty(bool force)
{
	size_t stored = pool("stored");

	if (stored && !force)
		give_up("tour: " DEVICE " holds %zu KiB of data, which the tour would destroy.\n"
			"If they may go, run it with -f.\n", stored * page / 1024);
	if (stored)
		printf("Discarding the %zu KiB of data that " DEVICE " holds (-f).\n",
		       stored * page / 1024);
	discard(0, device_pages);
}

static bool parse_arguments(int argc, char **argv)
{
	static const char help[] =
		"Usage: tour [-f]\n"
		"A guided walk along what a mapping of " DEVICE " does.\n"
		"  -f      discard what the device holds; without it, refuse to\n"
		"  --help  show this\n"
		"Exit status: 0 all as it should be; 1 a check failed; 2 bad usage, or\n"
		"something is missing.\n";

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(help, stdout);
		exit(0);
	}
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "-f")))
		give_up("%s", help);
	return argc == 2;
}

int main(int argc, char **argv)
{
	bool force = parse_arguments(argc, argv);

	colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	/* Or faults on the program's own code would get into the figures. */
	mlockall(MCL_CURRENT);
	open_device();
	require_room();
	require_empty(force);
	printf("%sA tour of " DEVICE "%s: %zu pages of %zu bytes, fault_mode=%s.\n"
	       "Nothing else should use the device meanwhile.\n", BOLD, PLAIN,
	       device_pages, page, insert_mode() ? "insert" : "map_pages");
	count(&tour_start);
	walk();
	print_summary();
	if (nr_wrong)
		printf("\n%s%d of %d checks are WRONG.%s\n", RED, nr_wrong,
		       nr_checks, PLAIN);
	else
		printf("\n%sAll %d checks are right.%s The device is empty again.\n",
		       GREEN, nr_checks, PLAIN);
	return nr_wrong != 0;
}
