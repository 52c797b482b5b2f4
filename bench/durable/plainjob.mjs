// SPDX-License-Identifier: MIT
// plainjob on better-sqlite3: addMany, one worker that looks again at once. It asks for synchronous = NORMAL
// itself; FULL is set after that.
import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { better, defineQueue, defineWorker, JobStatus } from 'plainjob';
import { blocks, input, run, settings, sleep } from './pair.mjs';

const quiet = { error: console.error, warn() {}, info() {}, debug() {} };

function open() {
	const connection = better(new Database(settings.store));
	const queue = defineQueue({ connection, logger: quiet });
	connection.pragma(`synchronous = ${settings.isDisk ? 'FULL' : 'NORMAL'}`);
	return queue;
}

await run({
	prepare() {
		for (const end of ['', '-wal', '-shm']) rmSync(settings.store + end, { force: true });
	},
	open,
	async produce(queue) {
		for (const count of blocks()) {
			queue.addMany('step', Array(count).fill(input));
			await sleep(0);
		}
	},
	work(handled) {
		const queue = open();
		const worker = defineWorker('step', async () => {}, {
			queue, logger: quiet, pollIntervall: 1, onCompleted: handled,
		});
		worker.start();
	},
	left: (queue) => settings.count - queue.countJobs({ status: JobStatus.Done }),
});
