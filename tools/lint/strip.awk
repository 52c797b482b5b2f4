# SPDX-License-Identifier: MIT
#
# Prints C source as "file TAB line TAB code" with the comments gone and the literals empty, so that
# a check that looks for words sees only code. With -v keep=1 the literals stay, for #include.

# The part of a line behind a literal that mark has opened; open stays set where the next line goes
# on with it.
function after_literal(line, mark,    whole) {
	whole = mark == "\"" ? "^([^\"\\\\]|\\\\.)*\"" : "^([^'\\\\]|\\\\.)*'"
	if (match(line, whole)) {
		open = ""
		literal = substr(line, 1, RLENGTH - 1)
		return substr(line, RLENGTH + 1)
	}
	open = line ~ /\\$/ ? mark : ""
	literal = line
	return ""
}

function strip(line,    code, mark) {
	code = ""
	while (line != "") {
		if (open == "/*") {
			if (!index(line, "*/"))
				return code
			line = substr(line, index(line, "*/") + 2)
			code = code " "
			open = ""
		} else if (open != "") {
			line = after_literal(line, open)
		} else if (match(line, /"|'|\/\*|\/\//)) {
			mark = substr(line, RSTART, RLENGTH)
			code = code substr(line, 1, RSTART - 1)
			line = substr(line, RSTART + RLENGTH)
			if (mark == "//")
				return code
			if (mark == "/*") {
				open = mark
				continue
			}
			line = after_literal(line, mark)
			code = code mark (keep ? literal : "") mark
		} else {
			code = code line
			line = ""
		}
	}
	return code
}

FNR == 1 { open = "" }

{
	code = strip($0)
	gsub(/\t/, " ", code)
	printf "%s\t%d\t%s\n", FILENAME, FNR, code
}
