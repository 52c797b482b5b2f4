# SPDX-License-Identifier: MIT
#
# Makes a C file out of include/stepbus.cdef.h that compiles only together with a header that declares
# the same. Functions and types without fields are declared once more as they are, which a compiler
# accepts only of the same type. Structs and values get names of their own, and are held against those
# of the header one by one.

function claim(condition, what) {
	claims = claims "_Static_assert(" condition ", \"" what "\");\n"
}

function type_of(type, field) {
	return "__typeof__(((" type " *)0)->" field ")"
}

function claim_field(field) {
	claim("__builtin_types_compatible_p(" type_of(type, field) ", " \
	      type_of("cdef_" type, field) ")", type "." field " has another type")
	claim("offsetof(" type ", " field ") == offsetof(cdef_" type ", " field ")",
	      type "." field " is elsewhere")
}

/^typedef struct [a-z_]+ \{$/ {
	type = $3
	print "typedef struct cdef_" type " {"
	next
}
/^}/ && type != "" {
	claim("sizeof(" type ") == sizeof(cdef_" type ")", type " has another size")
	print "} cdef_" type ";"
	type = ""
	next
}
type != "" {
	print
	field = $0
	sub(/(\[[0-9]+\])?;$/, "", field)
	if (field ~ /\(\*[a-z_]+\)\(/) {
		sub(/\)\(.*/, "", field)
		sub(/.*\(\*/, "", field)
	}
	sub(/.*[ *]/, "", field)
	claim_field(field)
	next
}
/^\tSTEPBUS_/ {
	claim("cdef_" $1 " == " $1, $1 " has another value")
	sub(/STEPBUS_/, "cdef_STEPBUS_")
}
{ print }

END { printf "%s", claims }
