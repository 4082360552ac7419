/** `serve`: serves the volumes of a pool over NBD. */

import type { Server } from 'node:http';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { LockedError, StateError } from 'persistent-data';
import { monotonicMs } from 'persistent-data/base';
import { NbdServer, type NbdServerOptions } from 'persistent-data/nbd';
import { kindOfFolder, Pool } from 'persistent-data/pool';
import { PoolServer, ThinSource, VolumeExport } from 'persistent-data/pool-server';
import type { Arguments } from '../arguments.ts';
import { attachText } from '../attach-text.ts';
import { EXIT } from '../command.ts';
import { listOf, openForeignPool, parseSizes } from '../foreign-pool.ts';
import { outsideScript } from '../interruption.ts';
import { parseAddress, tcpUri, unixUri } from '../serve-address.ts';
import { ServeLog } from '../serve-log.ts';
import type { MetricsSources } from '../serve-metrics.ts';
import { readableBytes } from '../size-text.ts';
import { UsageError } from '../usage-error.ts';

/** Between two lines about a server's health, while something happens. */
const HEALTH_MS = 60_000;
/** Signals that come so soon after another are the same one. */
const SAME_SIGNAL_MS = 500;
/** Requests that have not ended by then, such as those that wait for data space, are cut off. */
const PATIENCE = { drainMs: 5000 };
const FIRST_VOLUME = 'disk';
const FIRST_VOLUME_BYTES = 8 * 2 ** 30;

/** What is served, and how it ends. */
interface Service {
  readonly title: string;
  readonly nbd: NbdServer;
  readonly names: readonly string[];
  /** Where `volume snapshot` finds it; `undefined` for a pool without names. */
  readonly folder: string | undefined;
  readonly listenUnix: (path: string | undefined) => Promise<string>;
  readonly metrics: MetricsSources;
  readonly close: () => Promise<void>;
}

export async function run(args: Arguments): Promise<number> {
  await outsideScript();
  const stopped = stopSignal();
  const log = new ServeLog({ json: args.has('json') });
  const service = args.has('metadata') || args.has('data') ? foreignService(args, log) : await poolService(args, log);
  let failure: unknown;
  try {
    const uri = await listen(args, service);
    const metrics = args.text('metrics');
    const web = metrics === undefined ? undefined : await serveMetrics(metrics, service.metrics);
    log.write({
      level: 'info',
      event: 'serving',
      ...(service.folder === undefined ? {} : { pool: service.folder }),
      uri,
    });
    if (web !== undefined) log.write({ level: 'info', event: 'metrics', port: web.port });
    log.say(attachText({ title: service.title, uri, names: service.names, folder: service.folder }));
    const health = setInterval(healthLine(service, log), HEALTH_MS);
    const signal = await stopped;
    clearInterval(health);
    web?.server.close();
    log.write({ level: 'info', event: 'stopping', message: `${signal}: finishing requests, writing what is open` });
  } catch (error) {
    failure = error;
  }
  await service.close();
  if (failure !== undefined) throw failure;
  log.write({ level: 'info', event: 'stopped', message: 'everything is on the disk' });
  return EXIT.ok;
}

/** The library for metrics is loaded only where they are wanted. */
async function serveMetrics(address: string, sources: MetricsSources): Promise<{ server: Server; port: number }> {
  const { listenMetrics } = await import('../serve-metrics.ts');
  return listenMetrics(parseAddress(address, '--metrics <HOST:PORT>'), sources);
}

/**
 * Resolves with the first signal to stop. A second one ends the process at once, as a crash does: what was flushed is there. One that follows on the heels of the
 * first is the same Ctrl-C: the terminal sends it to all processes, and npm passes on to its child what it got.
 */
function stopSignal(): Promise<string> {
  return new Promise((done) => {
    let firstMs: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (firstMs !== undefined && monotonicMs() - firstMs > SAME_SIGNAL_MS) process.exit(EXIT.interrupted);
        firstMs ??= monotonicMs();
        done(signal);
      });
    }
  });
}

async function poolService(args: Arguments, log: ServeLog): Promise<Service> {
  const [folder] = args.operands;
  if (folder === undefined) throw new UsageError('a POOL, or --metadata and --data, are wanted');
  if (args.has('size')) throw new UsageError('--size goes with --metadata: "volume resize" changes sizes in a POOL');
  const readOnly = args.has('read-only');
  const options = {
    readOnly,
    errorIfNoSpace: args.text('no-space') === 'fail',
    onEvent: (event: { event: string }) => log.write({ level: 'warning', ...event }),
  };
  let pool: Pool;
  try {
    pool = await openOrMake(folder, args.has('create'), options);
  } catch (error) {
    if (error instanceof LockedError)
      throw new Error(`${error.message}: one server for a pool is possible`, { cause: error });
    throw error;
  }
  try {
    const names = args.texts('export');
    const server = new PoolServer(pool, {
      ...nbdOptions(args, log),
      readOnly,
      ...(names.length > 0 ? { exports: names } : {}),
    });
    // A second reader does not take the place of the one server.
    if (!readOnly) await server.listenControl();
    const status = pool.status();
    const free = readableBytes(status.dataBytes - status.usedDataBytes);
    return {
      title: `Serving ${folder}: ${server.exportNames.length} exports, ${free} of ${readableBytes(status.dataBytes)} free`,
      nbd: server.nbd,
      names: server.exportNames,
      folder,
      listenUnix: (path) => server.listenUnix(path),
      metrics: { nbd: server.nbd.metrics, pool: () => pool.status() },
      close: async () => {
        await server.close(PATIENCE);
        await pool.close();
      },
    };
  } catch (error) {
    await pool.close();
    throw error;
  }
}

async function openOrMake(folder: string, create: boolean, options: { readonly readOnly: boolean }): Promise<Pool> {
  const kind = kindOfFolder(folder);
  const isThere = kind === 'pool' || kind === 'foreign';
  const pool = !create || isThere ? Pool.open(folder, options) : Pool.create(folder, options);
  // A crash may have come between the two. Who has deleted all volumes does not get one.
  const isNew = create && !pool.readOnly && pool.records().length === 0 && pool.status().transactionId === 0;
  if (isNew) await pool.createVolume(FIRST_VOLUME, { sizeBytes: FIRST_VOLUME_BYTES });
  return pool;
}

/** A pool without names: its volumes by their ids. */
function foreignService(args: Arguments, log: ServeLog): Service {
  const [metadata, data] = [args.text('metadata'), args.text('data')];
  if (metadata === undefined || data === undefined || args.operands.length > 0) {
    throw new UsageError('--metadata and --data belong together, and go without a POOL');
  }
  const sizes = parseSizes(args.texts('size'));
  const wanted = args.texts('export');
  const options = nbdOptions(args, log);
  const pool = openForeignPool({ metadata, data, readOnly: args.has('read-only'), sizes, log });
  const ids = pool.volumes.map(({ id }) => id);
  const unknown = wanted.find((name) => !ids.some((id) => `${id}` === name));
  if (unknown !== undefined) throw new StateError(`Cannot export volume ${unknown}: the pool has ${listOf(ids)}`);
  const nbd = new NbdServer(options);
  const exports: VolumeExport[] = [];
  const names: string[] = [];
  for (const { id, sizeBytes } of pool.volumes) {
    if (wanted.length > 0 && !wanted.includes(`${id}`)) continue;
    const served = new VolumeExport(new ThinSource(pool.thinPool, id, { sizeBytes, readOnly: pool.readOnly }));
    nbd.add(`${id}`, served, { isDefault: names.length === 0 });
    exports.push(served);
    names.push(`${id}`);
  }
  return {
    title: `Serving ${metadata}: ${names.length} volumes by their ids${pool.readOnly ? ', read-only' : ''}`,
    nbd,
    names,
    folder: undefined,
    listenUnix: async (path) => {
      if (path === undefined) throw new UsageError('--socket or --listen is wanted with --metadata');
      await nbd.listenUnix(path);
      return path;
    },
    metrics: { nbd: nbd.metrics, pool: () => ({ ...pool.figures(), nrVolumes: names.length }) },
    close: async () => {
      await nbd.close(PATIENCE);
      for (const served of exports) served.release();
      await pool.close();
    },
  };
}

function nbdOptions(args: Arguments, log: ServeLog): NbdServerOptions {
  const [folder, pskFile] = [args.text('tls-dir'), args.text('tls-psk')];
  const files = { ...(folder === undefined ? {} : { folder }), ...(pskFile === undefined ? {} : { pskFile }) };
  const hasTls = folder !== undefined || pskFile !== undefined;
  if (args.has('tls-verify-peer') && folder === undefined)
    throw new UsageError('--tls-verify-peer goes with --tls-dir');
  return {
    log: (event) =>
      log.write({ ...event, event: event.connection === undefined ? event.event : `client ${event.event}` }),
    // One processor is for the clients.
    staysAwake: availableParallelism() > 1,
    ...(hasTls ? { tls: { ...files, verifyPeer: args.has('tls-verify-peer') } } : {}),
  };
}

/** Answers the URI of the first export. */
async function listen(args: Arguments, service: Service): Promise<string> {
  const name = service.names[0] ?? '';
  const hasTls = args.has('tls-dir') || args.has('tls-psk');
  const address = args.text('listen');
  if (address === undefined) return unixUri(absolute(await service.listenUnix(args.text('socket'))), name, hasTls);
  const wanted = parseAddress(address, '--listen <HOST:PORT>');
  return tcpUri(await service.nbd.listenTcp({ ...wanted, insecure: args.has('insecure') }), name, hasTls);
}

/** The path of a socket as it can be used from any folder; as it is where that would be too long for the system. */
function absolute(path: string): string {
  const whole = resolve(path);
  return Buffer.byteLength(whole) <= 107 ? whole : path;
}

/** A line about what has happened since the last one; none when nothing has. */
function healthLine({ nbd, metrics }: Service, log: ServeLog): () => void {
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  let before = 0;
  return () => {
    const requests = sum(nbd.metrics.requests);
    if (requests === before) return;
    const { mode, dataBytes, usedDataBytes } = metrics.pool();
    const errors = sum(nbd.metrics.errors);
    const clients = nbd.metrics.connections.open;
    log.write({
      level: 'info',
      event: 'health',
      mode,
      clients,
      requests: requests - before,
      errors,
      usedDataBytes,
      dataBytes,
    });
    before = requests;
  };
}
