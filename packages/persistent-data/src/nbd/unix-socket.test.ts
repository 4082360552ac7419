import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LockedError, StateError, UnsupportedError } from '../base/index.ts';
import { unixSocketPath } from './socket-path.ts';
import { listenUnix } from './unix-socket.ts';

let folder: string;
const servers: Server[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pdata-nbd-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done));
  rmSync(folder, { recursive: true });
});
const newServer = () => {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  return server;
};

test('a long path is moved to the runtime folder, always to the same place, or refused', () => {
  expect(unixSocketPath('/run/x.sock', '/run/user/1')).toBe('/run/x.sock');
  const long = `/tmp/${'x'.repeat(103)}`;
  expect(unixSocketPath(long, '/run/user/1')).toMatch(/^\/run\/user\/1\/persistent-data\/[0-9a-f]{16}\.sock$/);
  expect(unixSocketPath(long, '/run/user/1')).toBe(unixSocketPath(long, '/run/user/1'));
  expect(() => unixSocketPath(long, '')).toThrow(UnsupportedError);
  expect(() => unixSocketPath(long, `/${'y'.repeat(100)}`)).toThrow(UnsupportedError);
});

test('the socket is for this user only, in folders that are, too', async () => {
  const path = join(folder, 'a', 'b', 'x.sock');
  const umask = process.umask();
  await listenUnix(newServer(), path);
  expect(process.umask()).toBe(umask);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700);
});

test('a socket that nobody listens on is removed; one that somebody does is not', async () => {
  const path = join(folder, 'x.sock');
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(existsSync(path)).toBe(true);
  await listenUnix(newServer(), path);
  await expect(listenUnix(newServer(), path)).rejects.toThrow(LockedError);
  expect(existsSync(path)).toBe(true);
});

test('what is no socket stays', async () => {
  writeFileSync(join(folder, 'file'), 'precious');
  mkdirSync(join(folder, 'folder'));
  for (const name of ['file', 'folder']) {
    await expect(listenUnix(newServer(), join(folder, name))).rejects.toThrow(StateError);
    expect(existsSync(join(folder, name))).toBe(true);
  }
  await expect(listenUnix(newServer(), join(folder, 'x'.repeat(108)))).rejects.toThrow(UnsupportedError);
});
