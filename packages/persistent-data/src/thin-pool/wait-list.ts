/** What a request that waits needs to know of its volume: how many wait there. */
export interface WaitPlace {
  nrWaiting: number;
}

interface Waiting {
  readonly place: WaitPlace;
  /** Virtual blocks, half-open. */
  readonly begin: number;
  readonly end: number;
  readonly attempt: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly isProvision: boolean;
}

/** A request that can't be done at once. */
export interface WaitRequest {
  readonly place: WaitPlace;
  readonly begin: number;
  readonly end: number;
  /** Does the request, or as much of it as is possible now. Answers whether it is done. */
  readonly attempt: () => boolean;
  /** Whether it waits for data space, and not only for its turn. */
  readonly isProvision: boolean;
}

/**
 * Requests that wait for data space, and those that came later for the same blocks of the same volume. They are tried in the order in which
 * they came; requests for other blocks are not held up.
 */
export class WaitList {
  #waiting: Waiting[] = [];
  #isTrying = false;
  #isEnough = false;

  get size(): number {
    return this.#waiting.length;
  }

  /** Whether a request for these virtual blocks has to wait for its turn. O(requests that wait). */
  isBlocked(place: WaitPlace, begin: number, end: number): boolean {
    return place.nrWaiting > 0 && overlaps(this.#waiting, this.#waiting.length, place, begin, end);
  }

  add(request: WaitRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      request.place.nrWaiting++;
      this.#waiting.push({ ...request, resolve, reject });
    });
  }

  /** Tries all whose turn it is. A request that fails fails alone. */
  retry(): void {
    // An attempt may commit, which asks for a retry: the one that runs goes on with the rest.
    if (this.#isTrying || this.#waiting.length === 0) return;
    this.#isTrying = true;
    this.#isEnough = false;
    try {
      for (let i = 0; i < this.#waiting.length && !this.#isEnough; ) {
        if (this.#try(i)) this.#waiting.splice(i, 1);
        else i++;
      }
    } finally {
      this.#isTrying = false;
    }
  }

  /** Ends the {@link retry} that runs, after the attempt that calls this: it has taken long. Another retry has to follow. */
  enough(): void {
    this.#isEnough = true;
  }

  /** Ends requests with an error: all, or those of one volume, or those that wait for data space. */
  reject(error: unknown, isMeant: (request: WaitRequest) => boolean = () => true): void {
    const out = this.#waiting.filter(isMeant);
    this.#waiting = this.#waiting.filter((request) => !isMeant(request));
    for (const request of out) {
      request.place.nrWaiting--;
      request.reject(error);
    }
  }

  #try(index: number): boolean {
    const request = this.#waiting[index]!;
    const { place, begin, end } = request;
    if (overlaps(this.#waiting, index, place, begin, end)) return false;
    try {
      if (!request.attempt()) return false;
      request.resolve();
    } catch (error) {
      request.reject(error);
    }
    place.nrWaiting--;
    return true;
  }
}

/** Whether one of the first `count` requests is for these blocks. */
function overlaps(waiting: readonly Waiting[], count: number, place: WaitPlace, begin: number, end: number): boolean {
  for (let i = 0; i < count; i++) {
    const other = waiting[i]!;
    if (other.place === place && begin < other.end && other.begin < end) return true;
  }
  return false;
}
