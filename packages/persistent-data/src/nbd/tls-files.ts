import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommonConnectionOptions, ConnectionOptions, TlsOptions } from 'node:tls';
import { DeviceError, StateError } from '../base/index.ts';
import type { ClientTlsFiles, ServerTlsFiles, TlsFiles } from './tls-settings.ts';

/** Suites by key have no forward secrecy where they are not DHE or ECDHE; and only TLS 1.2 has them here. */
const PSK_OPTIONS = {
  ciphers:
    'DHE-PSK-AES256-GCM-SHA384:ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES128-GCM-SHA256:PSK',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
} as const;

/**
 * The options of a TLS server.
 *
 * @throws {StateError} when files are missing, or say nothing.
 * @throws {DeviceError} when they can't be read.
 */
export function serverTlsOptions(files: ServerTlsFiles): TlsOptions {
  if (files.pskFile !== undefined) {
    const keys = readPskFile(files.pskFile);
    // An unknown user is answered like a wrong key, in the handshake.
    return { ...PSK_OPTIONS, pskCallback: (_socket, identity) => keys.get(identity) ?? null };
  }
  const folder = neededFolder(files);
  const verifyPeer = files.verifyPeer ?? false;
  return {
    minVersion: 'TLSv1.2',
    ca: readNeeded(join(folder, 'ca-cert.pem')),
    cert: readNeeded(join(folder, 'server-cert.pem')),
    key: readNeeded(join(folder, 'server-key.pem')),
    requestCert: verifyPeer,
    rejectUnauthorized: verifyPeer,
  };
}

/** The options of a TLS client. @throws as {@link serverTlsOptions}. */
export function clientTlsOptions(files: ClientTlsFiles, host: string | undefined): ConnectionOptions {
  if (files.pskFile !== undefined) {
    const keys = readPskFile(files.pskFile);
    const identity = files.user ?? [...keys.keys()][0]!;
    const psk = keys.get(identity);
    if (psk === undefined) throw new StateError(`Cannot use TLS: ${files.pskFile} has no key of ${identity}`);
    // No certificate takes part: who knows the key is the right one.
    return { ...PSK_OPTIONS, pskCallback: () => ({ identity, psk }), checkServerIdentity: () => undefined };
  }
  const folder = neededFolder(files);
  const serverName = files.serverName ?? host;
  const own = join(folder, 'client-cert.pem');
  const options: CommonConnectionOptions & ConnectionOptions = {
    minVersion: 'TLSv1.2',
    ca: readNeeded(join(folder, 'ca-cert.pem')),
    rejectUnauthorized: true,
  };
  if (existsSync(own))
    Object.assign(options, { cert: readNeeded(own), key: readNeeded(join(folder, 'client-key.pem')) });
  if (serverName === undefined) return { ...options, checkServerIdentity: () => undefined };
  return { ...options, servername: /^[\d.]+$|:/.test(serverName) ? '' : serverName, host: serverName };
}

function neededFolder({ folder }: TlsFiles): string {
  if (folder === undefined)
    throw new StateError('Cannot use TLS: neither a folder of certificates nor a file of keys is given');
  return folder;
}

function readNeeded(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new StateError(`Cannot use TLS: ${path} does not exist`, { cause });
    throw new DeviceError(`Cannot read ${path}: ${message}`, { cause });
  }
}

/** Keys by user. Empty lines and those that begin with `#` are left out. */
function readPskFile(path: string): Map<string, Buffer> {
  const keys = new Map<string, Buffer>();
  for (const [i, line] of readNeeded(path).split('\n').entries()) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const [, user, hex] = /^([^:]+):((?:[0-9a-fA-F]{2}){16,})$/.exec(text) ?? [];
    // The line itself is a secret and is not shown.
    if (user === undefined)
      throw new StateError(`Cannot use TLS: line ${i + 1} of ${path} is not USER:HEXKEY of 16 bytes or more`);
    keys.set(user, Buffer.from(hex!, 'hex'));
  }
  if (keys.size === 0) throw new StateError(`Cannot use TLS: ${path} has no keys`);
  return keys;
}
