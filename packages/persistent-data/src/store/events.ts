/** What a store tells of itself. */
export interface StoreEvents {
  /** A commit is durable. */
  commit(event: { readonly generation: number; readonly checkpoint: boolean }): void;
  /** The file has grown. Blocks. */
  grow(event: { readonly from: number; readonly to: number }): void;
  /** A failure has latched the store. */
  failure(error: unknown): void;
}

/** For stores that nobody listens to. */
export const SILENT: StoreEvents = { commit: () => undefined, grow: () => undefined, failure: () => undefined };

/** Those who listen to a store. */
export class Listeners implements StoreEvents {
  readonly #sets: { readonly [Name in keyof StoreEvents]: Set<StoreEvents[Name]> } = {
    commit: new Set(),
    grow: new Set(),
    failure: new Set(),
  };

  /** Adds a listener. Answers how to take it away. */
  add<Name extends keyof StoreEvents>(name: Name, listener: StoreEvents[Name]): () => void {
    const listeners = this.#sets[name] as Set<StoreEvents[Name]>;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  commit(event: Parameters<StoreEvents['commit']>[0]): void {
    tell(this.#sets.commit, event);
  }

  grow(event: Parameters<StoreEvents['grow']>[0]): void {
    tell(this.#sets.grow, event);
  }

  failure(error: unknown): void {
    tell(this.#sets.failure, error);
  }
}

/** A listener that throws is its maker's affair: what it is told of has happened. */
function tell<A>(listeners: ReadonlySet<(argument: A) => void>, argument: A): void {
  for (const listener of listeners) {
    try {
      listener(argument);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
