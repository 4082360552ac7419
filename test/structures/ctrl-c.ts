/** Ctrl-C for a command that runs within the test: comes as soon as it watches for signals, before it has done anything. */
export function pressCtrlCOnceWatched(): void {
  process.on('newListener', function tell(event: string | symbol) {
    if (event !== 'SIGINT') return;
    process.off('newListener', tell);
    // The handler is about to be added.
    queueMicrotask(() => process.emit('SIGINT', 'SIGINT'));
  });
}
