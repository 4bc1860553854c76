# Offers the ids of the containers that have one of the statuses. Usage:
# _skiff_ids WORD STATUS... They do not go through compgen, which expands words.
_skiff_ids() {
	local word=$1 id pid status rest
	shift
	while read -r id pid status rest; do
		[[ $id == "$word"* && " $* " == *" $status "* ]] && COMPREPLY+=("$id")
	done < <("$program" ${root:+"--root=$root"} list 2>/dev/null)
}

# Completes a value. Usage: _skiff_complete WORD KIND [ARGUMENT...].
_skiff_complete() {
	local word=$1 kind=$2
	shift 2
	case $kind in
	file)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	dir)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		;;
	ids) _skiff_ids "$word" "$@" ;;
	words) mapfile -t COMPREPLY < <(compgen -W "$*" -- "$word") ;;
	esac
}

_skiff() {
	local REPLY verb= option= root= program=${COMP_WORDS[0]} number=0 ended= word name i
	local -a words=()
	COMPREPLY=()
	# Bash splits words at = and :.
	for ((i = 1; i <= COMP_CWORD; i++)); do
		if ((${#words[@]})) && [[ ${COMP_WORDS[i]} == [=:]* || ${words[-1]} == *[=:] ]]; then
			words[-1]+=${COMP_WORDS[i]}
		else
			words+=("${COMP_WORDS[i]}")
		fi
	done
	for word in "${words[@]:0:${#words[@]}-1}"; do
		name=${word#-}
		name=${name#-}
		if [[ $option ]]; then
			[[ $option == .root ]] && root=$word
			option=
		elif [[ $word == -- && ! $ended ]]; then
			ended=1
		elif [[ $word == -?* && ! $ended ]]; then
			[[ ! $verb && $name == root=* ]] && root=${name#root=}
			_skiff_value "$verb.$name"
			[[ $REPLY ]] && option=$verb.$name
		elif [[ ! $verb ]]; then
			verb=$word ended=
		else
			number=$((number + 1))
			[[ $verb == exec || $verb == ps ]] && ended=1
		fi
	done
	root=${root/#\~\//$HOME/}
	word=${words[-1]}
	if [[ $option ]]; then
		_skiff_value "$option"
	elif [[ $word == -*=* && ! $ended ]]; then
		name=${word#-}
		name=${name#-}
		_skiff_value "$verb.${name%%=*}"
		word=${word#*=}
	elif [[ $word == -* && ! $ended ]]; then
		_skiff_options "$verb"
		REPLY="words $REPLY"
	else
		_skiff_value "$verb:$number"
	fi
	# shellcheck disable=SC2086
	_skiff_complete "$word" $REPLY
}

complete -F _skiff skiff
