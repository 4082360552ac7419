/** `pdata serve` with TLS, and the clients of others: by certificates and by keys, on unix sockets and TCP. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../packages/persistent-data/src/testing/index.ts';
import { RunningServer } from '../cli/pool-server.ts';
import { isBuilt, pdata, scratchFolder } from '../cli/program.ts';
import { peer } from '../peers.ts';
import { run } from './nbd-programs.ts';

const nbdinfo = peer('nbdinfo');
const nbdcopy = peer('nbdcopy');
const qemuIo = peer('qemu-io');
const openssl = peer('openssl');
const SIZE = 4 * 2 ** 20;

const folder = scratchFolder('served-tls');
const path = (name: string): string => join(folder, name);
let server: RunningServer | undefined;

afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
});

/** A folder with an authority, and certificates of a server and a client of it. */
function makeCertificates(name: string): void {
  const at = path(name);
  mkdirSync(at);
  const make = (...args: string[]) => execFileSync(openssl!, args, { cwd: at, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  make('req', '-x509', ...key, '-days', '2', '-subj', `/CN=${name}`, '-keyout', 'ca-key.pem', '-out', 'ca-cert.pem');
  const authority = ['-CA', 'ca-cert.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2'];
  for (const who of ['server', 'client']) {
    const names = ['-subj', `/CN=${who}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    make('req', ...key, ...names, '-keyout', `${who}-key.pem`, '-out', `${who}.csr`);
    make('x509', '-req', '-in', `${who}.csr`, ...authority, '-copy_extensions', 'copy', '-out', `${who}-cert.pem`);
  }
}

async function serve(...argv: string[]): Promise<string> {
  server = await RunningServer.start(['pool', ...argv], folder);
  return server.event('serving')!.uri as string;
}

/** Adds how the client proves who it is. */
const by = (uri: string, parameter: string): string => `${uri}${uri.includes('?') ? '&' : '?'}${parameter}`;

async function copyBothWays(uri: string): Promise<void> {
  expect(await run(nbdcopy!, [path('raw'), uri])).toMatchObject({ status: 0 });
  expect(await run(nbdcopy!, [uri, path('back')])).toMatchObject({ status: 0 });
  expect(readFileSync(path('back')).equals(readFileSync(path('raw')))).toBe(true);
}

describe.skipIf(!(isBuilt && nbdinfo && nbdcopy && openssl))('TLS', { timeout: 90_000 }, () => {
  beforeAll(async () => {
    makeCertificates('ours');
    makeCertificates('theirs');
    writeFileSync(path('keys'), 'alice:00112233445566778899aabbccddeeff\n');
    writeFileSync(path('wrong-keys'), 'alice:ffffffffffffffffffffffffffffffff\n');
    writeFileSync(path('raw'), new Random(1).bytes(SIZE));
    await pdata(['pool', 'create', 'pool', '-s', '64M'], { cwd: folder });
    await pdata(['volume', 'create', 'pool', 'disk', '-s', '4M'], { cwd: folder });
  });

  test.each([
    ['a unix socket', []],
    ['TCP', ['--listen', 'localhost:0']],
    ['TCP that others can reach', ['--listen', '0.0.0.0:0']],
  ])('by certificates, on %s', async (_where, argv) => {
    const uri = (await serve('--tls-dir', 'ours', ...argv)).replace('0.0.0.0', 'localhost');
    expect(uri).toMatch(/^nbds(\+unix)?:/);
    const ours = by(uri, `tls-certificates=${path('ours')}`);
    const { exports: found } = JSON.parse((await run(nbdinfo!, ['--json', ours])).stdout) as {
      exports: { 'export-size': number }[];
    };
    expect(found[0]!['export-size']).toBe(SIZE);
    await copyBothWays(ours);
    // Who trusts another authority (libnbd does not look where there is no host name), and who comes without TLS.
    const theirs = await run(nbdinfo!, [by(uri, `tls-certificates=${path('theirs')}`)]);
    if (!uri.startsWith('nbds+unix')) expect(theirs.status).toBe(1);
    expect((await run(nbdinfo!, [uri.replace('nbds', 'nbd')])).status).toBe(1);
  });

  test('of clients certificates are demanded with --tls-verify-peer', async () => {
    const uri = await serve('--tls-dir', 'ours', '--tls-verify-peer');
    await copyBothWays(by(uri, `tls-certificates=${path('ours')}`));
    mkdirSync(path('stranger'));
    writeFileSync(path('stranger/ca-cert.pem'), readFileSync(path('ours/ca-cert.pem')));
    expect((await run(nbdinfo!, [by(uri, `tls-certificates=${path('stranger')}`)])).status).toBe(1);
  });

  test('by keys', async () => {
    const uri = await serve('--tls-psk', 'keys', '--listen', '127.0.0.1:0');
    const user = uri.replace('//', '//alice@');
    await copyBothWays(by(user, `tls-psk-file=${path('keys')}`));
    expect((await run(nbdinfo!, [by(user, `tls-psk-file=${path('wrong-keys')}`)])).status).toBe(1);
    expect((await run(nbdinfo!, [uri.replace('nbds', 'nbd')])).status).toBe(1);
  });

  test.skipIf(!qemuIo)('qemu-io, by certificates and by keys', async () => {
    const io = (port: string, credentials: string, command: string) =>
      run(qemuIo!, [
        '--object',
        `${credentials},id=tls0,endpoint=client`,
        '--image-opts',
        `driver=nbd,server.type=inet,server.host=localhost,server.port=${port},export=disk,tls-creds=tls0`,
        '-c',
        command,
      ]);
    const portOf = (uri: string): string => new URL(uri).port;
    const first = portOf(await serve('--tls-dir', 'ours', '--listen', 'localhost:0'));
    const certificates = `tls-creds-x509,dir=${path('ours')}`;
    expect((await io(first, certificates, 'write -f -P 7 64k 128k')).stdout).toContain('wrote 131072/131072 bytes');
    expect((await io(first, `tls-creds-x509,dir=${path('theirs')}`, 'read 0 512')).status).toBe(1);
    await server!.stop('SIGTERM');
    // The file that qemu and psktool call so.
    mkdirSync(path('psk'));
    writeFileSync(path('psk/keys.psk'), readFileSync(path('keys')));
    const second = portOf(await serve('--tls-psk', 'psk/keys.psk', '--listen', 'localhost:0'));
    const read = await io(second, `tls-creds-psk,dir=${path('psk')},username=alice`, 'read -P 7 64k 128k');
    expect(read.stdout).toContain('read 131072/131072 bytes');
    expect(read.stdout).not.toContain('verification failed');
  });

  test('what can not be is said at once', async () => {
    const fails = async (...argv: string[]) => pdata(['serve', 'pool', ...argv], { cwd: folder });
    const missing = await fails('--tls-dir', 'nowhere');
    expect(missing).toMatchObject({ status: 64 });
    expect(missing.stderr).toContain('nowhere/ca-cert.pem does not exist');
    expect(await fails('--tls-psk', 'raw')).toMatchObject({ status: 64 });
    expect(await fails('--tls-psk', 'keys', '--tls-dir', 'ours')).toMatchObject({ status: 2 });
    const alone = await fails('--tls-verify-peer');
    expect(alone).toMatchObject({ status: 2 });
    expect(alone.stderr).toContain('--tls-verify-peer goes with --tls-dir');
    const open = await fails('--listen', '0.0.0.0:0');
    expect(open.stderr).toContain('TLS or "insecure" is wanted');
  });
});
