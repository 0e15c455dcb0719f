import { expect, test } from '@jest/globals';
import pg from 'pg';
import { freshDatabase } from '../helpers/database.js';

test('each call gives an empty database of its own, and drop deletes it', async () => {
  const [one, two] = await Promise.all([freshDatabase(), freshDatabase()]);
  expect(one.url).not.toBe(two.url);
  const client = new pg.Client({ connectionString: one.url });
  await client.connect();
  await client.query('create table only_here (n int)');
  await client.end();
  const other = new pg.Client({ connectionString: two.url });
  await other.connect();
  await expect(other.query('select * from only_here')).rejects.toThrow('does not exist');
  await other.end();
  await one.drop();
  const gone = new pg.Client({ connectionString: one.url });
  await expect(gone.connect()).rejects.toThrow('does not exist');
  await two.drop();
});
