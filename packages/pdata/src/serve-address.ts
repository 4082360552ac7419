/** Addresses on the command line of the server. */

import { UsageError } from './usage-error.ts';

/** Takes `HOST:PORT`, `[V6]:PORT` or `PORT` apart. @throws {UsageError} */
export function parseAddress(text: string, option: string): { readonly host: string; readonly port: number } {
  const [, v6, name = '127.0.0.1', digits = ''] = /^(?:(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535) {
    throw new UsageError(`invalid value '${text}' for '${option}': HOST:PORT is wanted, such as 127.0.0.1:10809`);
  }
  return { host: v6 ?? name, port };
}

/** The URI of an export at an address. */
export function tcpUri(address: { readonly host: string; readonly port: number }, name: string, tls: boolean): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${tls ? 'nbds' : 'nbd'}://${host}:${address.port}/${encodeURIComponent(name)}`;
}

/** The URI of an export on a unix socket. */
export function unixUri(path: string, name: string, tls: boolean): string {
  return `${tls ? 'nbds' : 'nbd'}+unix:///${encodeURIComponent(name)}?socket=${path}`;
}
