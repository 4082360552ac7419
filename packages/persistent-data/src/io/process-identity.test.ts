import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isGone, isVisible, thisProcess } from './process-identity.ts';

const me = thisProcess();

test('`isGone()` sees that this process runs', () => {
  expect(me.pid).toBe(process.pid);
  expect(isGone(me, me)).toBe(false);
  expect(isGone({ ...me, startTime: undefined, bootId: undefined, pidNamespace: undefined }, me)).toBe(false);
});

test('`isGone()` sees a process that has ended, also without anything but its pid', () => {
  const { pid } = spawnSync('true');
  expect(isGone({ ...me, pid }, me)).toBe(true);
  expect(isGone({ ...me, pid, startTime: undefined, bootId: undefined, pidNamespace: undefined }, me)).toBe(true);
});

test('`isGone()` sees a pid that a later process has got', () => {
  expect(isGone({ ...me, startTime: '1' }, me)).toBe(existsSync('/proc/self/stat'));
});

test('`isGone()` knows that no process outlives a restart of its machine', () => {
  expect(isGone({ ...me, bootId: 'earlier' }, { ...me, bootId: 'now' })).toBe(true);
  expect(isGone({ ...me, bootId: 'earlier', pidNamespace: 'x' }, { ...me, bootId: 'now' })).toBe(true);
});

test('`isGone()` never says so of another host or another container: their pids mean nothing here', () => {
  const { pid } = spawnSync('true');
  expect(isGone({ ...me, pid, host: 'elsewhere', bootId: 'other' }, me)).toBe(false);
  expect(isVisible({ ...me, host: 'elsewhere' }, me)).toBe(false);
  expect(isGone({ ...me, pid, pidNamespace: 'pid:[7]' }, { ...me, pidNamespace: 'pid:[8]' })).toBe(false);
  expect(isVisible({ ...me, pidNamespace: 'pid:[7]' }, { ...me, pidNamespace: 'pid:[8]' })).toBe(false);
});

test.runIf(existsSync('/proc/self/stat'))(
  '`isGone()` counts a process that only waits to be reaped as gone',
  async () => {
    // The shell starts a child and becomes a program that does not reap it: once it has ended the child is a zombie.
    const shell = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const pid = Number(await new Promise((resolve) => shell.stdout.once('data', (text) => resolve(String(text)))));
      const zombie = { ...me, pid, startTime: undefined };
      await expect.poll(() => isGone(zombie, me)).toBe(true);
      process.kill(pid, 0);
    } finally {
      shell.kill('SIGKILL');
    }
  },
);
