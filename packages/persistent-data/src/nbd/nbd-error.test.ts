import { expect, test } from 'vitest';
import { DeviceError, NoSpaceError, ReadOnlyError } from '../base/index.ts';
import { encodeBounded, errorName, NbdError, toNbdError } from './nbd-error.ts';

test('errors of exports become errors of the wire', () => {
  const own = new NbdError('ENOTSUP', 'not fast');
  expect(toNbdError(own)).toBe(own);
  expect(toNbdError(new NoSpaceError('full', 'data'))).toMatchObject({ errno: 'ENOSPC', message: 'full' });
  expect(toNbdError(new ReadOnlyError('no'))).toMatchObject({ errno: 'EPERM' });
  expect(toNbdError(new ReadOnlyError('latched', { cause: new Error('disk') }))).toMatchObject({ errno: 'EIO' });
  expect(toNbdError(new DeviceError('gone'))).toMatchObject({ errno: 'EIO', message: 'gone' });
  expect(toNbdError('text')).toMatchObject({ errno: 'EIO', message: 'text' });
  expect(errorName(28)).toBe('ENOSPC');
  expect(errorName(4711)).toBe('EINVAL');
});

test('`encodeBounded()` cuts between characters', () => {
  expect(Buffer.from(encodeBounded('aäb', 2)).toString()).toBe('a');
  expect(Buffer.from(encodeBounded('aäb', 3)).toString()).toBe('aä');
  expect(Buffer.from(encodeBounded('😀', 3)).toString()).toBe('');
  expect(encodeBounded('x'.repeat(5000)).byteLength).toBe(4096);
});
