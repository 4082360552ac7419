import type { Answer } from './export.ts';
import { NbdError } from './nbd-error.ts';

interface Task {
  readonly step: () => Answer;
  readonly isDone: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Work that is done in steps, one in each turn of the event loop, so that sockets are served between them: task by task, in order. */
export class TurnQueue {
  readonly #tasks: Task[] = [];
  #isRunning = false;
  #isStopped = false;

  /** Does `step` again and again until `isDone`, or one fails. A step that answers a promise is waited for. */
  run(step: () => Answer, isDone: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tasks.push({ step, isDone, resolve, reject });
      this.#goOn();
    });
  }

  /** No further step is begun: what is not done fails. */
  stop(): void {
    this.#isStopped = true;
    // The task whose step is being waited for fails when that has ended: until then its memory is in use.
    const left = this.#tasks.splice(this.#isRunning ? 1 : 0);
    for (const task of left) task.reject(stoppedError());
  }

  #goOn(): void {
    if (this.#isRunning || this.#tasks.length === 0) return;
    this.#isRunning = true;
    setImmediate(() => this.#turn(this.#tasks[0]!));
  }

  #turn(task: Task): void {
    try {
      if (this.#isStopped) throw stoppedError();
      const waiting = task.step();
      if (waiting === undefined) this.#stepped(task);
      else
        waiting.then(
          () => this.#stepped(task),
          (error: unknown) => this.#end(() => task.reject(error)),
        );
    } catch (error) {
      this.#end(() => task.reject(error));
    }
  }

  #stepped(task: Task): void {
    if (task.isDone()) this.#end(task.resolve);
    else setImmediate(() => this.#turn(task));
  }

  #end(tell: () => void): void {
    this.#tasks.shift();
    tell();
    this.#isRunning = false;
    this.#goOn();
  }
}

function stoppedError(): NbdError {
  return new NbdError('ESHUTDOWN', 'the connection is gone');
}
