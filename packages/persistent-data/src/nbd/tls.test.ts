/** TLS, with certificates that openssl makes here, and with keys. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { peer } from '../../../../test/peers.ts';
import { DeviceError, StateError, UnsupportedError } from '../base/index.ts';
import { bytesOf, ModelExport, nbdInfoData, nbdOption } from '../testing/index.ts';
import { NbdClient } from './client.ts';
import { NbdServer, type NbdServerOptions } from './server.ts';
import { clientTlsOptions, serverTlsOptions } from './tls-files.ts';

const KEY = 'alice:00112233445566778899aabbccddeeff\nbob:ffeeddccbbaa99887766554433221100\n';
let folder: string;
let server: NbdServer | undefined;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pdata-tls-'));
  writeFileSync(join(folder, 'keys'), `# who may come\n\n${KEY}`);
  writeFileSync(join(folder, 'other-keys'), 'alice:99999999999999999999999999999999\n');
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  await server?.close({ graceMs: 0 });
  server = undefined;
});

async function serve(tls: NonNullable<NbdServerOptions['tls']>): Promise<{ port: number; socket: string }> {
  server = new NbdServer({ tls, handshakeTimeoutMs: 5000 });
  server.add('disk', new ModelExport({ size: 1 << 20 }));
  const socket = join(folder, 's.sock');
  await server.listenUnix(socket);
  const { port } = await server.listenTcp({ port: 0 });
  return { port, socket };
}

async function writeAndRead(uri: string): Promise<void> {
  const client = await NbdClient.connect(uri);
  const data = Uint8Array.from({ length: 500_000 }, (_, i) => i * 3);
  await client.write(77, data, { fua: true });
  expect(Buffer.compare(await client.read(77, data.length), data)).toBe(0);
  await client.close();
}

describe('keys', () => {
  test('who knows a key is served, by TCP and unix socket', async () => {
    const { port, socket } = await serve({ pskFile: join(folder, 'keys') });
    await writeAndRead(`nbds://bob@127.0.0.1:${port}/disk?tls-psk-file=${folder}/keys`);
    await writeAndRead(`nbds+unix:///disk?socket=${socket}&tls-psk-file=${folder}/keys`);
  });

  test('who does not is not; nor is who comes without TLS', async () => {
    const { port, socket } = await serve({ pskFile: join(folder, 'keys') });
    await expect(NbdClient.connect(`nbds://127.0.0.1:${port}/disk?tls-psk-file=${folder}/other-keys`)).rejects.toThrow(
      DeviceError,
    );
    await expect(NbdClient.connect(`nbds://carol@127.0.0.1:${port}/disk?tls-psk-file=${folder}/keys`)).rejects.toThrow(
      StateError,
    );
    await expect(NbdClient.connect({ socket, name: 'disk' })).rejects.toThrow(UnsupportedError);
    await expect(NbdClient.list({ socket })).rejects.toThrow(UnsupportedError);
  });

  test('a client that wants TLS does not go on without', async () => {
    server = new NbdServer();
    const { port } = await server.listenTcp({ port: 0 });
    await expect(NbdClient.connect(`nbds://127.0.0.1:${port}/?tls-psk-file=${folder}/keys`)).rejects.toThrow(
      UnsupportedError,
    );
  });

  test('words in the clear, sent with STARTTLS, are not obeyed', async () => {
    const { socket } = await serve({ pskFile: join(folder, 'keys') });
    const raw = connect(socket);
    const heard: Buffer[] = [];
    raw.on('data', (piece) => heard.push(piece));
    raw.on('error', () => {});
    await new Promise((done) => raw.once('data', done));
    raw.write(bytesOf([3, 4], nbdOption(5), nbdOption(7, nbdInfoData('disk'))));
    await new Promise((done) => setTimeout(done, 50));
    raw.write(nbdOption(7, nbdInfoData('disk')));
    await new Promise((done) => raw.once('close', done));
    const said = Buffer.concat(heard);
    // The greeting and the ACK in the clear; then at most an alert of TLS.
    expect(said.subarray(18, 38).toString('hex')).toBe('0003e889045565a9000000050000000100000000');
    expect(said.includes(Buffer.from('0003e889045565a900000007', 'hex'))).toBe(false);
    expect(server!.nrUsers('disk')).toBe(0);
  });
});

const program = peer('openssl');

describe.skipIf(!program)('certificates', () => {
  const openssl = (...args: string[]) =>
    execFileSync(program!, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });

  /** A folder with an authority, and certificates of a server and a client of it. */
  function makeFolder(name: string): string {
    const at = join(folder, name);
    mkdirSync(at);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, '-keyout', `${at}/ca-key.pem`, '-out', `${at}/ca-cert.pem`);
    for (const who of ['server', 'client']) {
      const subject = ['-subj', `/CN=${who}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
      openssl('req', ...key.slice(0, 5), ...subject, '-keyout', `${at}/${who}-key.pem`, '-out', `${at}/${who}.csr`);
      const sign = [
        '-CA',
        `${at}/ca-cert.pem`,
        '-CAkey',
        `${at}/ca-key.pem`,
        '-CAcreateserial',
        '-days',
        '2',
        '-copy_extensions',
        'copy',
      ];
      openssl('x509', '-req', '-in', `${at}/${who}.csr`, ...sign, '-out', `${at}/${who}-cert.pem`);
    }
    return at;
  }

  let ours: string;
  let theirs: string;
  beforeAll(() => {
    ours = makeFolder('ours');
    theirs = makeFolder('theirs');
  });

  test('a client believes the server of its authority only', async () => {
    const { port, socket } = await serve({ folder: ours });
    await writeAndRead(`nbds://localhost:${port}/disk?tls-certificates=${ours}`);
    await writeAndRead(`nbds://127.0.0.1:${port}/disk?tls-certificates=${ours}`);
    await writeAndRead(`nbds+unix:///disk?socket=${socket}&tls-certificates=${ours}`);
    await expect(NbdClient.connect(`nbds://localhost:${port}/disk?tls-certificates=${theirs}`)).rejects.toThrow(
      DeviceError,
    );
    const wrongName = `nbds://localhost:${port}/disk?tls-certificates=${ours}&tls-hostname=example.org`;
    await expect(NbdClient.connect(wrongName)).rejects.toThrow(DeviceError);
  });

  test('with `verifyPeer` a server believes the client of its authority only', async () => {
    const { port } = await serve({ folder: ours, verifyPeer: true });
    await writeAndRead(`nbds://localhost:${port}/disk?tls-certificates=${ours}`);
    // It trusts our authority but has no certificate of it.
    const stranger = join(folder, 'stranger');
    mkdirSync(stranger);
    execFileSync('cp', [join(ours, 'ca-cert.pem'), stranger]);
    await expect(NbdClient.connect(`nbds://localhost:${port}/disk?tls-certificates=${stranger}`)).rejects.toThrow(
      DeviceError,
    );
    for (const part of ['client-cert.pem', 'client-key.pem']) execFileSync('cp', [join(theirs, part), stranger]);
    await expect(NbdClient.connect(`nbds://localhost:${port}/disk?tls-certificates=${stranger}`)).rejects.toThrow(
      DeviceError,
    );
  });
});

describe('files', () => {
  test.each([
    ['no file', {}],
    ['a folder without certificates', { folder: '/nonexistent' }],
    ['a file of keys that is missing', { pskFile: '/nonexistent' }],
  ])('%s', (_what, files) => {
    expect(() => serverTlsOptions(files)).toThrow(StateError);
    expect(() => clientTlsOptions(files, 'host')).toThrow(StateError);
  });

  test.each(['alice:xyz', 'alice:00', 'alice', '', 'alice:000102030405060708090a0b0c0d0e0'])(
    '%j is no file of keys',
    (text) => {
      writeFileSync(join(folder, 'bad-keys'), text);
      expect(() => serverTlsOptions({ pskFile: join(folder, 'bad-keys') })).toThrow(StateError);
    },
  );
});
