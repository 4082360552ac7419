/** A time for people: `85.0 ns`, `12.3 µs`, `4.56 ms`, `1.20 s`. */
export function showTime(ns: number): string {
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(2)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(2)} ms`;
  if (ns >= 1e4) return `${(ns / 1e3).toFixed(1)} µs`;
  return `${ns.toFixed(ns < 100 ? 1 : 0)} ns`;
}
