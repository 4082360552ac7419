/** Milliseconds since some fixed moment, never going back. For rates, time-outs and progress. */
export function monotonicMs(): number {
  return performance.now();
}

/** Milliseconds since 1970-01-01 UTC. For time stamps that people read. */
export function unixMs(): number {
  return Date.now();
}
