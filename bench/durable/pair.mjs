// SPDX-License-Identifier: MIT
// One run of a peer in Node, started as `node <peer>.mjs <store> disk|process <count>`: a producer here, a worker
// in a process of its own. Prints the steps a second from the first put until the last finish is durable.
import { fork } from 'node:child_process';

const [, script, store, level, number, role] = process.argv;

export const settings = { store, isDisk: level === 'disk', count: Number(number), block: 1000 };
export const input = { text: 'x'.repeat(200 - '{"text":""}'.length) };

export const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

/** Blocks of at most settings.block inputs, made when they are wanted. */
export function* blocks() {
	for (let done = 0; done < settings.count; done += settings.block)
		yield Math.min(settings.block, settings.count - done);
}

function message(worker, wanted) {
	return new Promise((resolve, reject) => {
		const hear = (text) => {
			if (text !== wanted) return;
			worker.off('message', hear);
			resolve();
		};
		worker.on('message', hear);
		worker.on('exit', () => reject(new Error(`the worker ended before it was ${wanted}`)));
	});
}

/**
 * prepare  makes an empty store.
 * work     starts a worker that calls its argument for each step; resolves once it is ready.
 * open     what the producer needs, handed to the next two.
 * produce  puts settings.count steps.
 * left     how many steps are not finished.
 */
export async function run({ prepare, work, open, produce, left }) {
	if (role === 'worker') {
		let handled = 0;
		process.on('disconnect', () => process.exit(1));
		await work(() => {
			if (++handled === settings.count) process.send('done');
		});
		process.send('ready');
		return;
	}
	await prepare();
	const producer = await open();
	const worker = fork(script, [store, level, number, 'worker']);
	await message(worker, 'ready');
	const done = message(worker, 'done');
	const start = process.hrtime.bigint();
	await Promise.all([produce(producer), done]);
	while ((await left(producer)) > 0) await sleep(1);
	const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
	process.stdout.write(`${settings.count / elapsed}\n`, () => {
		worker.kill('SIGKILL');
		process.exit(0);
	});
}
