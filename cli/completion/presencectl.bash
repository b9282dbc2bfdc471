# presencectl.bash: completion of presencectl(1) for bash.
# SPDX-License-Identifier: MIT
#
# Names of sources and ids of users are asked from the daemon, within two seconds and without a word if it cannot be
# reached. They are never given to compgen -W, which would run a $(command) in them.

_presencectl_commands='status list get watch explain subscribe doctor source note history users requests contacts reload
    log record replay decode compose help'
_presencectl_columns='name= groups= extension= sip_uri= xmpp= broadworks= line= upn= webex= voicemail='
_presencectl_rich='available available_idle away busy busy_idle dnd offline
    appointment breakfast dinner holiday in-transit looking-for-work lunch meal meeting on-the-phone other performance
    permanent-absence playing presentation shopping sleeping spectator steering travel tv unknown vacation working
    worship'
_presencectl_telephony='idle ringing busy held offline available dnd forwarded_to_voicemail forwarded_to_phone'
_presencectl_statuses='ok access_denied not_found error stale requesting not_requested not_configured_for_user
    server_not_configured'

# _presencectl_ask ARGUMENT...: the output of a command, of the presencectl and the socket on the command line
_presencectl_ask() {
	timeout 2 "${presencectl[@]}" --json "$@" 2>/dev/null </dev/null
}

# Words from standard input, one a line, that begin with what is typed, quoted for the shell
_presencectl_offer() {
	local word

	while IFS= read -r word; do
		[[ -n $word && $word == "$typed"* ]] && COMPREPLY+=("$(printf '%q' "$word")")
	done
}

_presencectl_users() {
	local glob=${typed//[\\*?[]/?}

	_presencectl_offer < <(_presencectl_ask list --match "$glob*" | sed -n 's/^{"user":"\([^"\\]*\)".*/\1/p' | head -n 500)
}

_presencectl_sources() {
	_presencectl_offer < <(_presencectl_ask status | grep -o '"name":"[^"\\]*","type":' | cut -d '"' -f 4)
}

_presencectl_requests() {
	_presencectl_offer < <(_presencectl_ask requests | sed -n 's/^{"id":\([0-9]*\),.*/\1/p')
}

_presencectl_words() {
	local IFS=$' \t\n'

	COMPREPLY+=($(compgen -W "$1" -- "$typed"))
}

_presencectl_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$typed")
}

# The value of an option. False if the word before is not one that takes a value.
_presencectl_value() {
	case $1 in
	-s | --socket | --live | --config) _presencectl_files ;;
	--rich) _presencectl_words "$_presencectl_rich $_presencectl_statuses" ;;
	--telephony) _presencectl_words "$_presencectl_telephony $_presencectl_statuses" ;;
	--source) _presencectl_sources ;;
	--match) _presencectl_users ;;
	--type) _presencectl_words 'application/pidf+xml application/cpim-pidf+xml application/dialog-info+xml' ;;
	--seconds | --entity | --until | --for | --author) ;;
	--from | --to) _presencectl_words 'today yesterday' ;;
	*) return 1 ;;
	esac
}

# Arguments of "users": $1 of them stand before this one, $2 is the first.
_presencectl_of_users() {
	if [[ $1 -eq 0 ]]; then
		_presencectl_words 'import export set remove rename sync'
		return
	fi
	case $2 in
	import | export) [[ $1 -eq 1 ]] && _presencectl_files ;;
	set) if [[ $1 -eq 1 ]]; then
		_presencectl_users
	else
		compopt -o nospace 2>/dev/null
		_presencectl_words "$_presencectl_columns"
	fi ;;
	remove) _presencectl_users ;;
	rename) [[ $1 -eq 1 ]] && _presencectl_users ;;
	sync) [[ $1 -eq 1 ]] && _presencectl_sources ;;
	esac
}

# Arguments of the command $1; $2 of them stand before this one, $3 is the first.
_presencectl_arguments() {
	case $1 in
	get | watch) _presencectl_users ;;
	explain | subscribe) [[ $2 -eq 0 ]] && _presencectl_users ;;
	doctor) [[ $2 -eq 0 ]] && _presencectl_sources ;;
	source) case $2 in
		0) _presencectl_sources ;;
		1) _presencectl_words 'start stop restart help' ;;
		esac ;;
	log) case $2 in
		0) _presencectl_words 'error warning info debug' ;;
		1) _presencectl_words 'bridge config console csta daemon directory history link loop notes sip source store' ;;
		esac ;;
	note) case $2 in
		0) _presencectl_words 'set clear' ;;
		1) _presencectl_users ;;
		esac ;;
	history) [[ $2 -eq 0 ]] && _presencectl_users ;;
	users) _presencectl_of_users "$2" "$3" ;;
	requests) if [[ $2 -eq 0 ]]; then
		_presencectl_words 'list accept deny'
	elif [[ $3 != list ]]; then
		_presencectl_requests
	fi ;;
	contacts) case $2 in
		0) _presencectl_words 'add remove' ;;
		1) _presencectl_sources ;;
		2) _presencectl_users ;;
		esac ;;
	decode) if [[ $2 -eq 0 ]]; then
		_presencectl_words 'pidf dialog-info csta'
	else
		_presencectl_files
	fi ;;
	record | replay) [[ $2 -eq 0 ]] && _presencectl_files ;;
	help) case $2 in
		0) _presencectl_words "$_presencectl_commands" ;;
		1) [[ $3 == source ]] && _presencectl_words 'feed sip tapi' ;;
		esac ;;
	esac
}

_presencectl() {
	local typed=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' first='' options
	local -a presencectl=("${COMP_WORDS[0]/#\~/$HOME}")
	local -i i count=0

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket) presencectl+=(-s "${COMP_WORDS[++i]/#\~/$HOME}") ;;
		--rich | --telephony | --source | --match | --seconds | --config | --live | --type | --entity | --until | \
			--for | --author | --from | --to) i+=1 ;;
		-*) ;;
		*)
			if [[ -z $command ]]; then
				command=${COMP_WORDS[i]}
			else
				[[ $count -eq 0 ]] && first=${COMP_WORDS[i]}
				count+=1
			fi
			;;
		esac
	done
	_presencectl_value "$before" && return
	if [[ $typed == -* ]]; then
		options='-s --socket --json'
		case $command in
		'') options+=' -V --version -h --help' ;;
		list) options+=' --rich --telephony --source --match' ;;
		subscribe) options+=' --seconds' ;;
		note) options+=' --until --for --author' ;;
		history) options+=' --from --to' ;;
		users) options+=' --replace --force --dry-run' ;;
		reload) options+=' --force' ;;
		replay) options+=' --config --live --fast' ;;
		decode) options+=' --type --entity' ;;
		compose) options+=' --config' ;;
		esac
		_presencectl_words "$options"
	elif [[ -z $command ]]; then
		_presencectl_words "$_presencectl_commands"
	else
		_presencectl_arguments "$command" "$count" "$first"
	fi
	return 0
}

complete -F _presencectl presencectl
