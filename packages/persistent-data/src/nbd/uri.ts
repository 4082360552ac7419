import { UnsupportedError } from '../base/index.ts';
import { DEFAULT_PORT } from './protocol.ts';
import type { ClientTlsFiles } from './tls-settings.ts';

/** Where an export is. */
export interface NbdAddress {
  /** Path of a unix socket; then host and port are left out. */
  readonly socket?: string;
  readonly host?: string;
  readonly port?: number;
  /** Default: the empty name, which is the server's default export. */
  readonly name?: string;
  /** With it the server has to speak TLS; without it none is used. */
  readonly tls?: ClientTlsFiles;
}

/**
 * Takes an NBD URI apart: `nbd://host[:port]/export`, `nbd+unix:///export?socket=/path`, and with TLS `nbds://`, `nbds+unix://`, where
 * `tls-certificates=FOLDER` or `tls-psk-file=FILE`, and for keys a user before the host, say how.
 *
 * @throws {TypeError} when it is no such URI.
 * @throws {UnsupportedError} for TLS without files, and for other transports.
 */
export function parseUri(text: string): NbdAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new TypeError(`Cannot use ${JSON.stringify(text)} as an NBD URI: it is no URI`, { cause });
  }
  const [, secure, transport] = /^nbd(s?)(?:\+(.*))?:$/.exec(url.protocol) ?? [];
  if (secure === undefined)
    throw new TypeError(`Cannot use ${JSON.stringify(text)} as an NBD URI: it begins with ${url.protocol}`);
  if (transport !== undefined && transport !== 'unix')
    throw new UnsupportedError(`Cannot connect by ${transport}: TCP and unix are known`);
  const name = decodeURIComponent(url.pathname.replace(/^\//, ''));
  const tls = secure === 's' ? { tls: tlsFiles(url, text) } : {};
  const socket = url.searchParams.get('socket');
  if (transport === 'unix') {
    if (!socket) throw new TypeError(`Cannot use ${JSON.stringify(text)} as an NBD URI: it has no socket=PATH`);
    return { socket, name, ...tls };
  }
  const host = url.hostname === '' ? 'localhost' : url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: url.port === '' ? DEFAULT_PORT : Number(url.port), name, ...tls };
}

function tlsFiles(url: URL, text: string): ClientTlsFiles {
  const folder = url.searchParams.get('tls-certificates');
  const pskFile = url.searchParams.get('tls-psk-file');
  const serverName = url.searchParams.get('tls-hostname');
  if (!folder && !pskFile)
    throw new UnsupportedError(`Cannot connect to ${text}: TLS wants tls-certificates or tls-psk-file`);
  return {
    ...(pskFile ? { pskFile } : { folder: folder! }),
    ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
    ...(serverName ? { serverName } : {}),
  };
}
