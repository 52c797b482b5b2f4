<?php
// SPDX-License-Identifier: MIT
// Reads a cdef with PHP and says its numbers: php read.php CDEF LIBRARY < names
$ffi = FFI::cdef(file_get_contents($argv[1]), $argv[2]);

while (($line = fgets(STDIN)) !== false) {
	[$kind, $name] = explode(' ', trim($line));
	if ($kind === 'size') {
		$number = FFI::sizeof($ffi->type($name));
	} elseif ($kind === 'offset') {
		[$type, $field] = explode('.', $name);
		$number = $ffi->type($type)->getStructFieldOffset($field);
	} elseif ($kind === 'value') {
		$number = $ffi->$name;
	} else {
		$number = '';
		$ffi->$name ?? throw new Exception("there is no $name");
	}
	echo trim("$kind $name $number"), "\n";
}
if ($ffi->stepbus_status_name($ffi->STEPBUS_EBUSY) !== 'STEPBUS_EBUSY') {
	throw new Exception('stepbus_status_name names another code');
}
