import { describe, expect, test } from 'vitest';
import {
  CorruptionError,
  DeviceError,
  LockedError,
  NoSpaceError,
  ParseError,
  PersistentDataError,
  ProtocolError,
  ReadOnlyError,
  StateError,
  UnsupportedError,
  WouldBlockError,
} from './errors.ts';

const cause = new Error('the cause');
const all: [string, string, PersistentDataError][] = [
  ['CorruptionError', 'PDATA_CORRUPT', new CorruptionError('text', {}, { cause })],
  ['NoSpaceError', 'PDATA_NO_SPACE', new NoSpaceError('text', 'data', { cause })],
  ['ReadOnlyError', 'PDATA_READ_ONLY', new ReadOnlyError('text', { cause })],
  ['WouldBlockError', 'PDATA_WOULD_BLOCK', new WouldBlockError('text', { cause })],
  ['DeviceError', 'PDATA_IO', new DeviceError('text', { cause })],
  ['UnsupportedError', 'PDATA_UNSUPPORTED', new UnsupportedError('text', { cause })],
  ['LockedError', 'PDATA_LOCKED', new LockedError('text', undefined, { cause })],
  ['StateError', 'PDATA_STATE', new StateError('text', { cause })],
  ['ProtocolError', 'PDATA_PROTOCOL', new ProtocolError('text', { cause })],
];

describe.each(all)('%s', (name, code, error) => {
  test('has its name, its code, its cause, and the common root', () => {
    expect(error).toBeInstanceOf(PersistentDataError);
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code, error.message, error.cause]).toEqual([name, code, 'text', cause]);
  });
});

test('no two errors have one code', () => {
  expect(new Set(all.map(([, code]) => code)).size).toBe(all.length);
});

test('a `CorruptionError` carries what is known of its place', () => {
  const place = { block: 42, kind: 'btree_node', path: [1, 42], field: 'nrEntries', found: 300, expected: 252 };
  expect(new CorruptionError('text', place)).toMatchObject(place);
  const { block, kind, found } = new CorruptionError('text', { block: 7 });
  expect([block, kind, found, new CorruptionError('text').block]).toEqual([7, undefined, undefined, undefined]);
});

test('a `NoSpaceError` says which space, a `LockedError` who holds it', () => {
  expect(new NoSpaceError('text', 'metadata').space).toBe('metadata');
  const holder = { pid: 1, host: 'here', since: '2026-01-01T00:00:00Z' };
  expect(new LockedError('text', holder).holder).toBe(holder);
  expect(new LockedError('text').holder).toBeUndefined();
});

test('a `ParseError` is a `SyntaxError` with line and column', () => {
  const error = new ParseError('Cannot parse', 3, 14, { cause });
  expect(error).toBeInstanceOf(SyntaxError);
  expect(error).not.toBeInstanceOf(PersistentDataError);
  expect(error).toMatchObject({ name: 'ParseError', code: 'PDATA_PARSE', line: 3, column: 14, cause });
  expect(error.message).toBe('Cannot parse (line 3, column 14)');
});
