import { COMMAND_NAMES, type CommandName, ERRORS, type NbdErrorName } from './protocol.ts';

/** Buckets of a histogram: the last one takes all that is longer than 2^24 µs, some 17 s. */
const NR_BUCKETS = 26;

/** Durations, counted by powers of two: `counts[i]` of at most 2^i microseconds (and more than half of that). */
export interface LatencyHistogram {
  count: number;
  sumMs: number;
  readonly counts: number[];
}

export function newHistogram(): LatencyHistogram {
  return { count: 0, sumMs: 0, counts: new Array<number>(NR_BUCKETS).fill(0) };
}

export function recordLatency(histogram: LatencyHistogram, durationMs: number): void {
  histogram.count += 1;
  histogram.sumMs += durationMs;
  const micros = Math.ceil(durationMs * 1000);
  const bucket = micros <= 1 ? 0 : 32 - Math.clz32(Math.min(micros, 0x7fffffff) - 1);
  histogram.counts[Math.min(bucket, NR_BUCKETS - 1)]! += 1;
}

/** What a server counts; plain numbers, for an exporter to read at any time. */
export interface NbdMetrics {
  readonly connections: {
    open: number;
    /** Accepted since the beginning. */
    total: number;
    /** Turned away because there were too many. */
    refused: number;
    /** Cut off by the server: a breach of the protocol or a time-out. */
    dropped: number;
  };
  /** Requests that began, by command; what was unknown is not among them. */
  readonly requests: Record<CommandName, number>;
  /** Errors answered, by name. */
  readonly errors: Record<NbdErrorName, number>;
  /** From a request's arrival to the moment its reply is ready, by command. */
  readonly latency: Record<CommandName, LatencyHistogram>;
  /** Payload bytes of answered reads and writes, without holes. */
  readBytes: number;
  writtenBytes: number;
  /** Requests that wait for the export at this moment. */
  inFlight: number;
}

function byKey<Key extends string, Value>(keys: readonly Key[], make: () => Value): Record<Key, Value> {
  return Object.fromEntries(keys.map((key) => [key, make()])) as Record<Key, Value>;
}

export function newMetrics(): NbdMetrics {
  return {
    connections: { open: 0, total: 0, refused: 0, dropped: 0 },
    requests: byKey(COMMAND_NAMES, () => 0),
    errors: byKey(Object.keys(ERRORS) as NbdErrorName[], () => 0),
    latency: byKey(COMMAND_NAMES, newHistogram),
    readBytes: 0,
    writtenBytes: 0,
    inFlight: 0,
  };
}

/** Something worth a line in a log. */
export interface NbdLogEvent {
  readonly level: 'info' | 'warning' | 'error';
  readonly event: 'listening' | 'connected' | 'agreed' | 'disconnected' | 'dropped' | 'refused' | 'failed';
  /** Number of the connection, counted from 1. */
  readonly connection?: number;
  readonly export?: string;
  readonly message?: string;
}
