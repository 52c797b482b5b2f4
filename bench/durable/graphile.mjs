// SPDX-License-Identifier: MIT
// graphile-worker as its documentation says for throughput: addJobs in bulk, a local queue, completions in batches.
import pg from 'pg';
import { Logger, makeWorkerUtils, run as runWorker } from 'graphile-worker';
import { connectionOf, makeDatabase } from './postgres.mjs';
import { blocks, input, run, settings } from './pair.mjs';

const database = 'graphile';
const logger = new Logger(() => (level, message) => level === 'error' && console.error(message));

function makePool(max) {
	const pool = new pg.Pool({ ...connectionOf(database), max });
	pool.on('error', console.error);
	pool.on('connect', (client) => client.on('error', console.error));
	return pool;
}

await run({
	prepare: () => makeDatabase(database),
	async open() {
		const pool = makePool(4);
		const utils = await makeWorkerUtils({ pgPool: pool, logger });
		await utils.migrate();
		return { pool, utils };
	},
	async produce({ utils }) {
		for (const count of blocks())
			await utils.addJobs(Array(count).fill({ identifier: 'step', payload: input }));
	},
	work: (handled) => runWorker({
		pgPool: makePool(26),
		logger,
		noHandleSignals: true,
		taskList: { step: async () => handled() },
		preset: { worker: {
			concurrentJobs: 24, maxPoolSize: 26, pollInterval: 100,
			localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0,
		} },
	}),
	async left({ pool }) {
		const found = await pool.query('SELECT count(*) FROM graphile_worker._private_jobs');
		return Number(found.rows[0].count);
	},
});
