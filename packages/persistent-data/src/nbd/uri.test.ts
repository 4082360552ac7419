import { expect, test } from 'vitest';
import { UnsupportedError } from '../base/index.ts';
import { parseUri } from './uri.ts';

test.each([
  ['nbd://example.org', { host: 'example.org', port: 10809, name: '' }],
  ['nbd://example.org:99/a%20b/c', { host: 'example.org', port: 99, name: 'a b/c' }],
  ['nbd://[::1]/x', { host: '::1', port: 10809, name: 'x' }],
  ['nbd+unix:///disk?socket=/run/a b.sock', { socket: '/run/a b.sock', name: 'disk' }],
  ['nbd+unix://?socket=/s', { socket: '/s', name: '' }],
  [
    'nbds://alice@host/x?tls-psk-file=/keys',
    { host: 'host', port: 10809, name: 'x', tls: { pskFile: '/keys', user: 'alice' } },
  ],
  [
    'nbds+unix:///?socket=/s&tls-certificates=/pki&tls-hostname=h',
    { socket: '/s', name: '', tls: { folder: '/pki', serverName: 'h' } },
  ],
])('%s', (text, wanted) => {
  expect(parseUri(text)).toEqual(wanted);
});

test.each(['', 'host', 'http://x', 'nbd+unix:///x', 'nbdx://h'])('%j is no NBD URI', (text) => {
  expect(() => parseUri(text)).toThrow(TypeError);
});

test.each(['nbd+vsock://1', 'nbds://host'])('%s is not supported', (text) => {
  expect(() => parseUri(text)).toThrow(UnsupportedError);
});
