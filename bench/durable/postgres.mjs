// SPDX-License-Identifier: MIT
// An empty database for each run of a peer on PostgreSQL.
import pg from 'pg';
import { settings } from './pair.mjs';

const options = `-c synchronous_commit=${settings.isDisk ? 'on' : 'off'}`;

export const connectionOf = (database) => ({ host: settings.store, user: 'postgres', database, options });

export async function makeDatabase(name) {
	const client = new pg.Client(connectionOf('postgres'));
	await client.connect();
	await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
	await client.query(`CREATE DATABASE ${name}`);
	await client.end();
}
