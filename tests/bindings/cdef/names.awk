# SPDX-License-Identifier: MIT
#
# Lists what include/stepbus.cdef.h declares, one a line: "size STRUCT", "offset STRUCT.FIELD",
# "value NAME" and "function NAME". A reader adds its own number behind the first three.

/^typedef struct [a-z_]+ \{$/ {
	type = $3
	print "size " type
	next
}
/^}/ { type = "" }

type != "" && /\(\*[a-z_]+\)\(/ {
	sub(/\)\(.*/, "")
	sub(/.*\(\*/, "")
	print "offset " type "." $0
	next
}
type != "" {
	sub(/(\[[0-9]+\])?;$/, "")
	sub(/.*[ *]/, "")
	print "offset " type "." $0
}

/^\tSTEPBUS_/ { print "value " $1 }

/^[a-z].*\);$/ && !/^typedef/ {
	sub(/\(.*/, "")
	sub(/.*[ *]/, "")
	print "function " $0
}
