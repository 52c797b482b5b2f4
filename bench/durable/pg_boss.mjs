// SPDX-License-Identifier: MIT
// pg-boss: insert, fetch and complete a block at a time, without its own schedules and upkeep.
import pg from 'pg';
import PgBoss from 'pg-boss';
import { connectionOf, makeDatabase } from './postgres.mjs';
import { blocks, input, run, settings, sleep } from './pair.mjs';

const database = 'pg_boss';

async function start() {
	const pool = new pg.Pool({ ...connectionOf(database), max: 4 });
	const boss = new PgBoss({
		db: { executeSql: (text, values) => pool.query(text, values) }, supervise: false, schedule: false,
	});
	boss.on('error', console.error);
	await boss.start();
	return { boss, pool };
}

async function workOff(boss, handled) {
	for (;;) {
		const jobs = await boss.fetch('step', { batchSize: settings.block });
		if (jobs.length === 0) {
			await sleep(1);
			continue;
		}
		await boss.complete('step', jobs.map((job) => job.id));
		jobs.forEach(handled);
	}
}

await run({
	prepare: () => makeDatabase(database),
	async open() {
		const producer = await start();
		await producer.boss.createQueue('step');
		return producer;
	},
	async produce({ boss }) {
		for (const count of blocks())
			await boss.insert(Array(count).fill({ name: 'step', data: input }));
	},
	async work(handled) {
		const { boss } = await start();
		workOff(boss, handled);
	},
	async left({ pool }) {
		const found = await pool.query("SELECT count(*) FROM pgboss.job WHERE name = 'step' AND state <> 'completed'");
		return Number(found.rows[0].count);
	},
});
