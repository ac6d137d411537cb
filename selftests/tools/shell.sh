#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The shell of make vm, on a terminal: the tree's command mmapdemo is in its PATH, as
# if it was installed, and bash completes it.
# Runs on the host; boots one guest of 6.12.
#
# Output: KTAP.
. "$(dirname "$0")/tools.bash"

# on_terminal COMMAND... - runs it on a terminal of its own, and types $LINE once a
# prompt is there: what comes earlier may be lost
on_terminal()
{
	LINE=$LINE /usr/bin/python3 -c '
import os, pty, sys
pid, terminal = pty.fork()
if not pid:
    os.execvp(sys.argv[1], sys.argv[1:])
screen = b""
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if b"guest:" in screen + part and b"guest:" not in screen:
        os.write(terminal, os.environ["LINE"].encode() + b"\r")
    screen += part
    os.write(1, part)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "$@"
}

# "disc" alone is no command of it.
LINE=$'mmapdemo disc\t0 4096 && type -P mmapdemo && echo it is "done"; exit'

in_shell()
{
	on_terminal make -s -C "$TOP" vm TIMEOUT=900 | tee "$TMP/screen"
}

on_screen()
{
	tr -d '\r' <"$TMP/screen" | sed 's/\x1b\[[?0-9;]*[a-zA-Z]//g' >"$TMP/lines"
	cat "$TMP/lines"
	grep -qE -- "$1" "$TMP/lines"
}

start 3
check "make vm has a shell on a terminal, which ends with the last command's status" in_shell
check "mmapdemo is found in PATH, and is the tree's" on_screen "^$TOP/scripts/mmapdemo$"
check "bash completes it" on_screen '^it is done$'
ktap_finished
