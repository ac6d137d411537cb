#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that nobody here wrote get right bytes from /dev/mmapdemo: dd and
# cmp, perl, Python's mmap module, fio with its own checksums.
#
# Output: KTAP. A program that is not installed is a skip that names its
# package.
. "$(dirname "$0")/lib.sh"

PYTHON=/usr/bin/python3

dd_round_trip()
{
	dd if=/dev/urandom of="$TMP/data" bs=1M count=8 status=none &&
		dd if="$TMP/data" of=$DEVICE bs=64K status=none &&
		dd if=$DEVICE of="$TMP/back" bs=1M count=8 iflag=fullblock status=none &&
		cmp "$TMP/data" "$TMP/back"
}

# Block sizes that straddle pages, at a place that is no page's start.
dd_unaligned()
{
	dd if=/dev/urandom of="$TMP/data" bs=4097 count=33 status=none &&
		dd if="$TMP/data" of=$DEVICE bs=4097 seek=5 status=none &&
		dd if=$DEVICE of="$TMP/back" bs=4097 skip=5 count=33 iflag=fullblock status=none &&
		cmp "$TMP/data" "$TMP/back"
}

dd_to_the_end()
{
	# It has to stop at the end by itself, with ENOSPC.
	! dd if=/dev/zero of=$DEVICE bs=1M 2>"$TMP/dd" &&
		grep -q 'No space left' "$TMP/dd" &&
		size=$(cat /sys/module/mmapdemo/parameters/size) &&
		[ "$(dd if=$DEVICE bs=1M status=none | wc -c)" = "$size" ]
}

perl_reads_what_dd_wrote()
{
	printf 'from dd' | dd of=$DEVICE bs=1 seek=12345 status=none &&
		perl -e 'open my $f, "+<:raw", $ARGV[0] or die "open: $!";
			seek $f, 12345, 0 or die "seek: $!";
			my $s;
			read($f, $s, 7) == 7 && $s eq "from dd" or die "got: $s";' $DEVICE
}

python_mmap()
{
	$PYTHON - $DEVICE <<-'END'
		import mmap, os, random, sys
		fd = os.open(sys.argv[1], os.O_RDWR)
		size = 4 << 20
		with mmap.mmap(fd, size) as shared, mmap.mmap(fd, size) as other:
		    random.seed(1)
		    model = bytearray(os.pread(fd, size, 0))
		    for _ in range(300):
		        at = random.randrange(size - 9000)
		        data = random.randbytes(random.randrange(1, 9000))
		        if random.random() < 0.5:
		            shared[at:at + len(data)] = data
		        else:
		            assert os.pwrite(fd, data, at) == len(data)
		        model[at:at + len(data)] = data
		    assert shared[:] == model, "mapping"
		    assert other[:] == model, "second mapping"
		    assert os.pread(fd, size, 0) == model, "pread"
		    needle = bytes(model[1234567:1234599])
		    assert shared.find(needle) == model.find(needle), "find"
		    shared.flush()
	END
}

python_fork()
{
	$PYTHON - $DEVICE <<-'END'
		import mmap, os, sys
		fd = os.open(sys.argv[1], os.O_RDWR)
		shared = mmap.mmap(fd, 65536)
		private = mmap.mmap(fd, 65536, flags=mmap.MAP_PRIVATE)
		shared[0:6] = b"parent"
		private[8:12] = b"mine"
		if os.fork() == 0:
		    shared[0:6] = b"child!"
		    private[8:12] = b"his."
		    os._exit(0)
		assert os.wait()[1] == 0
		assert shared[0:6] == b"child!", shared[0:6]
		assert private[8:12] == b"mine", private[8:12]
		assert shared[8:12] != b"mine", shared[8:12]
	END
}

# run_fio ENGINE - writes at random places, then reads all and checks
run_fio()
{
	fio --name=mmapdemo --filename=$DEVICE --ioengine="$1" --rw=randwrite \
		--bs=4k --size=8M --verify=crc32c --do_verify=1 --verify_fatal=1 \
		--thread --randseed=7 --output-format=terse --aux-path="$TMP"
}

plan 8
check "dd writes and reads back" dd_round_trip
check "dd at unaligned places" dd_unaligned
check "dd meets the end of the device" dd_to_the_end
check_with perl-base perl "perl reads what dd wrote" perl_reads_what_dd_wrote
check_with python3 $PYTHON "python3 mmap agrees with pread and pwrite" python_mmap
check_with python3 $PYTHON "python3 shares with its child, and keeps private" python_fork
check_with fio fio "fio --ioengine=mmap --verify=crc32c" run_fio mmap
check_with fio fio "fio --ioengine=psync --verify=crc32c" run_fio psync
ktap_finished
