# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion for scripts/mmapdemo: commands, options, device nodes. To be sourced
# by an interactive bash, or installed as mmapdemo where bash-completion looks
# (/usr/share/bash-completion/completions); it needs nothing of that package.

# The command on the line up to the cursor, or nothing.
_mmapdemo_command()
{
	local word

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		info | stats | resize | discard | dirty | map)
			printf '%s\n' "$word"
			return
			;;
		esac
	done
}

_mmapdemo_words()
{
	local common='--device --json --help --version'

	case $(_mmapdemo_command) in
	'') echo "$common info stats resize discard dirty map" ;;
	stats) echo "$common --watch" ;;
	dirty) echo "$common --clear" ;;
	*) echo "$common" ;;
	esac
}

# Nodes that the module may have made, or the path as far as it is typed.
_mmapdemo_devices()
{
	if [ "$1" ]; then compgen -f -- "$1"; else compgen -G '/dev/mmapdemo*'; fi
}

_mmapdemo()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}

	# bash takes --device=PATH for three words.
	[ "$current" != = ] || current=
	[ "$previous" != = ] || previous=${COMP_WORDS[COMP_CWORD - 2]}
	case $previous in
	--device)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(_mmapdemo_devices "$current")
		;;
	*) mapfile -t COMPREPLY < <(compgen -W "$(_mmapdemo_words)" -- "$current") ;;
	esac
}

complete -F _mmapdemo mmapdemo
