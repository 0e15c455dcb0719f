import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Connection } from '@temporalio/client';
import { createServer, type Socket } from 'node:net';
import { UnreachableError } from '../../config/errors.js';
import { keepHistory, pingTemporal, waitForTemporal } from '../../embedded/temporal.js';
import { SEARCH_ATTRIBUTE_TYPES } from '../../domain/search-attributes.js';
import { startTestTemporal, type TestTemporal } from '../helpers/temporal.js';

let server: TestTemporal;
let connection: Connection;
beforeAll(async () => {
  server = await startTestTemporal();
  connection = await Connection.connect({ address: server.address });
});
afterAll(async () => {
  await connection.close();
  await server.stop();
});

test('the dev server knows every search attribute, with its type, when it is called ready', async () => {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({
    namespace: server.namespace,
  });
  const INDEXED = { Keyword: 2, Int: 3, Bool: 5 };
  for (const [name, type] of Object.entries(SEARCH_ATTRIBUTE_TYPES)) {
    expect([name, customAttributes[name]]).toEqual([name, INDEXED[type]]);
  }
});

test('ended runs are kept for 30 days', async () => {
  await keepHistory(server.address, server.namespace);
  const { config } = await connection.workflowService.describeNamespace({
    namespace: server.namespace,
  });
  expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
});

test('a namespace or an attribute that is missing is not ready', async () => {
  await expect(pingTemporal(server.address, 'elsewhere')).rejects.toThrow('elsewhere');
  await connection.operatorService.removeSearchAttributes({
    namespace: server.namespace,
    searchAttributes: ['SpentMinor'],
  });
  const ready = waitForTemporal(server.address, server.namespace, () => true);
  await expect(ready).rejects.toThrow('search attributes missing: SpentMinor');
  await expect(ready).rejects.toBeInstanceOf(UnreachableError);
});

test('an open port that does not answer as Temporal is not ready', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  await expect(pingTemporal(`127.0.0.1:${String(port)}`, 'default', 300)).rejects.toThrow();
  // The client's HTTP/2 session keeps its end open for as long as the server does.
  for (const socket of sockets) socket.destroy();
  silent.close();
});
