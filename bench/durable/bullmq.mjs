// SPDX-License-Identifier: MIT
// BullMQ: addBulk, one worker with many steps at once (50 where each answer waits for the disk, else 300).
import { Redis } from 'ioredis';
import { Queue, Worker } from 'bullmq';
import { blocks, input, run, settings } from './pair.mjs';

const connect = () => new Redis({ path: settings.store, maxRetriesPerRequest: null });

await run({
	async prepare() {
		const redis = connect();
		await redis.flushall();
		redis.disconnect();
	},
	open: () => new Queue('step', { connection: connect() }),
	async produce(queue) {
		const options = { removeOnComplete: true };
		for (const count of blocks())
			await queue.addBulk(Array(count).fill({ name: 'step', data: input, opts: options }));
	},
	async work(handled) {
		const worker = new Worker('step', async () => {}, {
			connection: connect(), concurrency: settings.isDisk ? 50 : 300,
		});
		worker.on('completed', handled);
		await worker.waitUntilReady();
	},
	async left(queue) {
		const counts = await queue.getJobCounts('wait', 'active', 'failed', 'delayed');
		return counts.wait + counts.active + counts.failed + counts.delayed;
	},
});
