import { expect, test } from 'vitest';
import { DeviceError, NoSpaceError } from '../base/index.ts';
import { deviceError, systemCode } from './system-error.ts';

const systemError = (code: string) => Object.assign(new Error(`${code}: told by the system`), { code });

test('`deviceError()` makes a full disk, quota or file a `NoSpaceError` of the host', () => {
  for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG']) {
    const cause = systemError(code);
    const error = deviceError('write x', cause);
    expect(error).toBeInstanceOf(NoSpaceError);
    expect(error).toMatchObject({ space: 'host', cause, message: `Cannot write x: ${code}: told by the system` });
  }
});

test('`deviceError()` makes everything else a `DeviceError` with its cause', () => {
  for (const cause of [systemError('EIO'), new Error('no code'), 'a text', undefined]) {
    const error = deviceError('read x', cause);
    expect(error).toBeInstanceOf(DeviceError);
    expect(error.cause).toBe(cause);
  }
});

test('`systemCode()` is `undefined` for what the system did not throw', () => {
  expect(systemCode(systemError('EIO'))).toBe('EIO');
  for (const other of [undefined, null, 7, new Error('x'), { code: 5 }]) expect(systemCode(other)).toBeUndefined();
});
