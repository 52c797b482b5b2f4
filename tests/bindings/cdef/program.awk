# SPDX-License-Identifier: MIT
#
# Makes a C program out of the lines of names.awk, which prints each of them with what the compiler
# says of it. Given -v header=FILE, which it includes.

BEGIN {
	print "#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>"
	print "#include \"" header "\"\nint main(void)\n{"
}

$1 == "size" { expression = "sizeof(" $2 ")" }
$1 == "offset" {
	split($2, part, ".")
	expression = "offsetof(" part[1] ", " part[2] ")"
}
$1 == "value" { expression = $2 }
# That it is declared, and as what, is checked where both declarations are seen.
$1 == "function" {
	print "\tputs(\"" $0 "\");"
	next
}
{ print "\tprintf(\"" $0 " %ld\\n\", (long)" expression ");" }

END { print "\treturn 0;\n}" }
