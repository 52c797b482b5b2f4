# SPDX-License-Identifier: MIT
#
# Prints what a C header declares in a form that foreign-function tools read without a preprocessor.
# Reads the output of lint/strip.awk, where comments are gone and literals empty.
#
# Each declaration begins on a line of its own, each field and each value of an enum has one, and
# functions and types without fields take one line, so that a reader may be a few patterns. Macros that
# are a number become an enum, the other ones are left out; so is what only C++ sees. Whatever cannot
# be said without a preprocessor ends this with a message and status 1.

BEGIN { FS = "\t" }

function fail(where, what) {
	print where ": " what >"/dev/stderr"
	is_failed = 1
	exit 1
}

# A directive: keeps what stands under __cplusplus away, and turns a number into an enum.
function direct(text,    word) {
	gsub(/^ *# */, "", text)
	gsub(/ +/, " ", text)
	split(text, word, " ")
	if (word[1] ~ /^if/)
		is_hidden[++depth] = is_hidden[depth - 1] || text ~ /^ifdef __cplusplus/
	else if (word[1] == "endif")
		depth--
	else if (word[1] == "define" && !is_hidden[depth] && word[3] ~ /^-?[0-9]+$/)
		take("enum { " word[2] " = " word[3] " };")
}

function take(text) {
	while (match(text, /[A-Za-z_0-9]+|[^ ]/)) {
		token[++count] = substr(text, RSTART, RLENGTH)
		line[count] = $1 ":" $2
		text = substr(text, RSTART + RLENGTH)
	}
}

is_continued || $3 ~ /^ *#/ {
	if (!is_continued)
		direct($3)
	is_continued = $3 ~ /\\$/
	next
}

!is_hidden[depth] { take($3) }

# Whether a space stands between token i and the next one.
function is_apart(i,    next_one) {
	next_one = token[i + 1]
	if (next_one ~ /^[],;)[]$/ || token[i] ~ /^[([*]$/)
		return 0
	return next_one != "(" || (token[i] != ")" && token[i + 2] == "*")
}

# The tokens from first to last on one line.
function join(first, last,    i, text) {
	text = ""
	for (i = first; i <= last; i++)
		text = text token[i] (i < last && is_apart(i) ? " " : "")
	return text
}

function print_fields(first, last,    i) {
	for (i = first; i <= last; i++)
		if (token[i] == ";") {
			print "\t" join(first, i)
			first = i + 1
		}
}

function print_values(first, last,    i, end) {
	for (i = first; i <= last; i = end + 1) {
		for (end = i; end <= last && token[end] != ","; )
			end++
		if (token[i + 1] != "=" || join(i + 2, end - 1) !~ /^(- )?[0-9]+$/)
			fail(line[i], token[i] " needs a number: write " token[i] " = 1")
		print "\t" join(i, end - 1) (end < last ? "," : "")
	}
}

# One declaration, from first to its semicolon; the braces stand at open and close_.
function print_declaration(first, last, open, close_) {
	if (!open) {
		print join(first, last)
		return
	}
	print join(first, open)
	if (token[first] == "enum")
		print_values(open + 1, close_ - 1)
	else
		print_fields(open + 1, close_ - 1)
	print join(close_, last)
}

function check(i) {
	if (token[i] ~ /^__|^["'#:.]$|^(extern|inline|static|union)$/)
		fail(line[i], "\"" token[i] "\" is not what every foreign-function tool reads")
	if (token[i] == "[" && token[i + 1] !~ /^[0-9]+$/)
		fail(line[i], "the length of an array is written as a number")
	if (token[i] == "{" && ++braces > 1)
		fail(line[i], "what is in braces is declared by itself")
	braces -= token[i] == "}"
}

END {
	if (is_failed)
		exit 1
	for (i = 1; i <= count; i++) {
		if (token[i] == "STEPBUS_API")
			continue
		token[++kept] = token[i]
		line[kept] = line[i]
	}
	first = 1
	for (i = 1; i <= kept; i++) {
		check(i)
		if (token[i] == "{")
			open = i
		if (token[i] == "}")
			close_ = i
		if (token[i] == ";" && !braces) {
			print_declaration(first, i, open, close_)
			first = i + 1
			open = 0
		}
	}
	if (first <= kept)
		fail(line[kept], "the last declaration has no end")
}
