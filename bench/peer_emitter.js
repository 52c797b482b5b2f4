/* SPDX-License-Identifier: MIT */
/*
 * Node's EventEmitter. Arguments: id or name, subscribers of each event, events in rotation,
 * measurements. Prints the nanoseconds of one emit, once a measurement. Tuned: Symbols as ids, each
 * subscriber a closure of its own, warmed up until the compiler has settled.
 */
'use strict';

const { EventEmitter } = require('node:events');

const EVENT_COUNT = 64;
const SLICE_NS = 8e6;

const [mode, subscriberText, rotationText, sampleText] = process.argv.slice(2);
const subscriberCount = Number(subscriberText);
const rotation = Number(rotationText);

const emitter = new EventEmitter();
emitter.setMaxListeners(subscriberCount + 1);
const counters = Array.from({ length: subscriberCount }, () => ({ value: 0 }));

const names = Array.from({ length: EVENT_COUNT }, (_, index) => {
	const name = `bench.rotation.event_${String(index).padStart(2, '0')}`;
	return mode === 'name' ? name : Symbol(name);
});
for (const name of names) {
	for (const counter of counters) {
		emitter.on(name, (payload) => {
			counter.value += payload;
		});
	}
}

function run(iterations) {
	const mask = rotation - 1;
	const start = process.hrtime.bigint();
	for (let i = 0; i < iterations; i++)
		emitter.emit(names[i & mask], 1);
	return Number(process.hrtime.bigint() - start);
}

let total = 0;
function slice(iterations) {
	const elapsed = run(iterations);
	total += iterations * subscriberCount;
	return elapsed;
}

for (let warm = 0; warm < 20; warm++)
	slice(20000);
const iterations = Math.max(1000, Math.round((100000 * SLICE_NS) / slice(100000)));
const samples = [];
for (let sample = 0; sample < Number(sampleText); sample++)
	samples.push(slice(iterations) / iterations);
if (counters.reduce((sum, counter) => sum + counter.value, 0) !== total)
	process.exit(1);
for (const sample of samples)
	console.log(sample.toFixed(3));
