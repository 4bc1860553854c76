# Prints the command, its arguments that are no options, and --root=DIR before them.
function __skiff_words
    set -l verb
    set -l option
    set -l ended
    set -l words
    set -l root
    for word in (commandline -opc)[2..-1]
        set -l name (string replace -r -- '^--?' '' $word)
        if test -n "$option"
            test "$option" = .root; and set root --root=$word
            set option
        else if test "$word" = --; and test -z "$ended"
            set ended 1
        else if string match -qr -- '^-.' $word; and test -z "$ended"
            test -z "$verb"; and string match -q -- 'root=*' $name; and set root --$name
            __skiff_takes "$verb.$name"; and set option "$verb.$name"
        else if test -z "$verb"
            set verb $word
            set words $word
            set ended
        else
            set -a words $word
            contains -- $verb exec ps; and set ended 1
        end
    end
    printf '%s\n' "$root" $words
end

# Whether the next argument has this number, the command being 0, and the command is that.
function __skiff_at
    set -l words (__skiff_words)
    test (count $words) -eq (math $argv[1] + 1); and begin
        test $argv[1] -eq 0; or test $words[2] = $argv[2]
    end
end

# Whether the options of a command can follow, or with '' those of skiff itself.
function __skiff_options_of
    set -l words (__skiff_words)
    test "$words[2]" = "$argv[1]"; or return
    not contains -- "$argv[1]" exec ps; or test (count $words) -eq 2
end

# Prints the ids of the containers that have one of the statuses.
function __skiff_ids
    set -l words (__skiff_words)
    set -l root (string replace -r -- '^--root=~/' "--root=$HOME/" $words[1])
    set -l program (commandline -opc)[1]
    test -n "$root"; or set root
    $program $root list 2>/dev/null | while read -l id pid state rest
        contains -- $state $argv; and echo $id
    end
end
