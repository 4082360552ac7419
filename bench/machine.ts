import { cpus, loadavg } from 'node:os';

/** What a result was measured on, and how busy that was: the load of the minute before. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly load: number;
  /** ISO 8601, UTC. */
  readonly date: string;
}

export function machineNow(): Machine {
  return {
    cpu: cpus()[0]?.model ?? '',
    cores: cpus().length,
    node: process.version,
    load: loadavg()[0]!,
    date: new Date().toISOString(),
  };
}
