/** How long work that goes on as it has gone so far takes yet, for people: `3s`, `2m05s`, `1h20m`. `?` as long as nothing is done. */
export function timeLeft(elapsedMs: number, done: number, total: number): string {
  if (done <= 0) return '?';
  const seconds = Math.ceil((elapsedMs * Math.max(0, total - done)) / done / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`;
}
