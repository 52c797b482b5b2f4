// SPDX-License-Identifier: MIT
// Reads a cdef with koffi and says its numbers: node read.cjs CDEF LIBRARY < names
// koffi reads one prototype at a time and has no enums: the layout of the cdef makes that a few patterns.
const fs = require('fs');
const koffi = require('koffi');

const types = new Map();
const values = new Map();
const functions = new Map();
const library = koffi.load(process.argv[3]);

// "const char *name" as ["name", "const char *"]; pointers to functions are plain pointers here.
function readField(text) {
  const pointer = text.match(/\(\*(\w+)\)\(/);
  if (pointer) return [pointer[1], 'void *'];
  const [, type, name, array] = text.match(/^(.*?)(\w+)(\[\d+\])?;$/);
  return [name, array ? koffi.array(type.trim(), Number(array.slice(1, -1))) : type.trim()];
}

function readDeclaration(head, body) {
  const name = head.match(/^typedef struct (\w+)/)?.[1];
  if (head.startsWith('enum')) {
    for (const [, value, number] of body.join('').matchAll(/(\w+) = (-?\d+)/g)) values.set(value, Number(number));
  } else if (name && body.length > 0) {
    types.set(name, koffi.struct(name, Object.fromEntries(body.map((line) => readField(line.trim())))));
  } else if (name) {
    koffi.opaque(name);
  } else if (head.startsWith('struct ')) {
    koffi.opaque(head.slice(7, -1));
  } else if (head.startsWith('typedef') && head.includes('(*')) {
    koffi.pointer(koffi.proto(head.replace(/^typedef (.*)\(\*(\w+)\)/, '$1 $2_').slice(0, -1)));
    koffi.alias(head.match(/\(\*(\w+)\)/)[1], 'void *');
  } else if (head.startsWith('typedef')) {
    koffi.alias(...head.match(/^typedef (\w+) (\w+);/).slice(1).reverse());
  } else {
    const prototype = head.replace(/\bstruct sqlite3\b/g, 'sqlite3').slice(0, -1);
    functions.set(prototype.match(/(\w+)\(/)[1], library.func(prototype));
  }
}

const lines = fs.readFileSync(process.argv[2], 'utf8').split('\n').filter((line) => line && !line.startsWith('/*'));
while (lines.length > 0) {
  const head = lines.shift();
  const end = head.endsWith('{') ? lines.findIndex((line) => line.startsWith('}')) : -1;
  readDeclaration(head, lines.splice(0, end + 1).slice(0, -1));
}

for (const line of fs.readFileSync(0, 'utf8').trim().split('\n')) {
  const [kind, name] = line.split(' ');
  if (kind === 'size') console.log(line, koffi.sizeof(types.get(name)));
  else if (kind === 'offset') console.log(line, koffi.offsetof(types.get(name.split('.')[0]), name.split('.')[1]));
  else if (kind === 'value') console.log(line, values.get(name));
  else if (functions.has(name)) console.log(line);
}
if (functions.get('stepbus_status_name')(values.get('STEPBUS_EBUSY')) !== 'STEPBUS_EBUSY') process.exit(1);
