/** Metrics of a server for Prometheus, and its health, over HTTP. */

import { createServer, type Server } from 'node:http';
import type { LatencyHistogram, NbdMetrics } from 'persistent-data/nbd';
import { Gauge, Registry } from 'prom-client';

/** What is measured besides the server itself. */
export interface PoolFigures {
  readonly mode: string;
  readonly dataBytes: number;
  readonly usedDataBytes: number;
  readonly metadataBytes: number;
  readonly usedMetadataBytes: number;
  readonly nrVolumes: number;
  readonly nrWaiting: number;
}

export interface MetricsSources {
  readonly nbd: NbdMetrics;
  readonly pool: () => PoolFigures;
}

/** The metrics as Prometheus reads them. */
export async function metricsText({ nbd, pool }: MetricsSources): Promise<string> {
  const registry = new Registry();
  const gauge = (name: string, help: string, value: number): void => {
    new Gauge({ name: `pdata_${name}`, help, registers: [registry] }).set(value);
  };
  const figures = pool();
  gauge('pool_up', 'Whether the pool takes writes: 1 or 0', figures.mode === 'write' ? 1 : 0);
  gauge('pool_data_bytes', 'Data space of the pool', figures.dataBytes);
  gauge('pool_data_used_bytes', 'Data space in use', figures.usedDataBytes);
  gauge('pool_metadata_bytes', 'Metadata space of the pool', figures.metadataBytes);
  gauge('pool_metadata_used_bytes', 'Metadata space in use', figures.usedMetadataBytes);
  gauge('pool_volumes', 'Volumes and snapshots', figures.nrVolumes);
  gauge('pool_waiting_requests', 'Requests that wait for data space', figures.nrWaiting);
  gauge('nbd_connections', 'Connections that are open', nbd.connections.open);
  gauge('nbd_in_flight_requests', 'Requests under way', nbd.inFlight);
  gauge('process_resident_memory_bytes', 'Memory of the server', process.memoryUsage.rss());
  return `${await registry.metrics()}${counters(nbd)}${latencies(nbd.latency)}`;
}

/** Counters as they stand: prom-client's can only be added to. */
function counters(nbd: NbdMetrics): string {
  const rows: [name: string, help: string, samples: [labels: string, value: number][]][] = [
    [
      'nbd_connections_total',
      'Connections since the beginning, by what became of them',
      [
        ['{outcome="accepted"}', nbd.connections.total],
        ['{outcome="refused"}', nbd.connections.refused],
        ['{outcome="dropped"}', nbd.connections.dropped],
      ],
    ],
    ['nbd_requests_total', 'Requests', labelled('command', nbd.requests)],
    ['nbd_errors_total', 'Errors that were answered', labelled('error', nbd.errors)],
    ['nbd_read_bytes_total', 'Bytes of answered reads', [['', nbd.readBytes]]],
    ['nbd_written_bytes_total', 'Bytes of answered writes', [['', nbd.writtenBytes]]],
  ];
  return rows
    .map(([name, help, samples]) => {
      const lines = samples.map(([labels, value]) => `pdata_${name}${labels} ${value}\n`).join('');
      return `\n# HELP pdata_${name} ${help}\n# TYPE pdata_${name} counter\n${lines}`;
    })
    .join('');
}

function labelled(label: string, values: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(values).map(([key, value]) => [`{${label}="${key}"}`, value]);
}

function latencies(histograms: Readonly<Record<string, LatencyHistogram>>): string {
  const name = 'pdata_nbd_request_duration_seconds';
  const lines = Object.entries(histograms).flatMap(([command, { count, sumMs, counts }]) => {
    if (count === 0) return [];
    let below = 0;
    const buckets = counts.slice(0, -1).map((n, i) => {
      below += n;
      return `${name}_bucket{command="${command}",le="${2 ** i / 1e6}"} ${below}`;
    });
    const labels = `{command="${command}"}`;
    const last = `${name}_bucket{command="${command}",le="+Inf"} ${count}`;
    return [...buckets, last, `${name}_sum${labels} ${sumMs / 1000}`, `${name}_count${labels} ${count}`];
  });
  return `\n# HELP ${name} From a request's arrival to its reply\n# TYPE ${name} histogram\n${lines.join('\n')}\n`;
}

/** Serves `/metrics`, and `/health`: 200 while the pool takes writes, else 503. */
export async function listenMetrics(
  address: { readonly host: string; readonly port: number },
  sources: MetricsSources,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' });
      response.end(body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'text/plain', 'GET is possible\n');
    else if (request.url === '/health') {
      const { mode } = sources.pool();
      answer(mode === 'write' ? 200 : 503, 'text/plain', `${mode}\n`);
    } else if (request.url === '/metrics') {
      metricsText(sources).then(
        (text) => answer(200, 'text/plain; version=0.0.4; charset=utf-8', text),
        (error: unknown) => answer(500, 'text/plain', `${error}\n`),
      );
    } else answer(404, 'text/plain', '/metrics and /health are here\n');
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(address, done);
  });
  return { server, port: (server.address() as { port: number }).port };
}
