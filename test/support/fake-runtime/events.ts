/**
 * The event stream with the delivery of the runtimes that have one:
 *
 * - stolen (containerd 1.7): one queue for all, an event goes to one subscriber only;
 * - blocking (containerd 2.1): a queue for each; a full one holds back whoever makes events;
 * - serial (CRI-O): one sender goes from subscriber to subscriber; who does not read holds up the others.
 */

export type Delivery = "none" | "stolen" | "blocking" | "serial";

/** Events a queue holds; what comes on top is thrown away or waits. */
const sharedQueueLength = 1000;
const ownQueueLength = 100;

export interface EventHub {
  /** Hands an event out. Settles late where the manner holds its maker back. */
  publish(event: object): Promise<void>;
  /**
   * One subscriber's events, old ones first where the runtime keeps them. Ends when `signal` aborts or the
   * hub ends its streams.
   */
  subscribe(signal: AbortSignal): AsyncGenerator<object, void>;
  /** Ends all streams with OK. */
  endStreams(): void;
}

interface Subscriber {
  readonly queue: object[];
  readonly wake: () => void;
  ended: boolean;
}

export function createEventHub(delivery: Delivery): EventHub {
  const subscribers = new Set<Subscriber>();
  /** stolen and serial: not yet handed out. blocking: the newest, for later subscribers. */
  const shared: object[] = [];
  const room = createGate();
  let sending = false;

  /** The serial sender: to each subscriber in turn, waiting until it has taken the event. */
  async function sendAll(): Promise<void> {
    if (sending) return;
    sending = true;
    while (shared.length > 0 && subscribers.size > 0) {
      const event = shared.shift();
      if (event === undefined) break;
      for (const subscriber of [...subscribers]) {
        subscriber.queue.push(event);
        subscriber.wake();
        while (subscriber.queue.length > 0 && !subscriber.ended) await room.wait();
      }
    }
    sending = false;
  }

  async function publish(event: object): Promise<void> {
    if (delivery === "none") return;
    if (delivery !== "blocking") {
      if (shared.length < sharedQueueLength) shared.push(event);
      if (delivery === "serial") void sendAll();
      else for (const subscriber of subscribers) subscriber.wake();
      return;
    }
    shared.push(event);
    if (shared.length > ownQueueLength) shared.shift();
    for (const subscriber of [...subscribers]) {
      while (subscriber.queue.length >= ownQueueLength && !subscriber.ended) await room.wait();
      subscriber.queue.push(event);
      subscriber.wake();
    }
  }

  async function* subscribe(signal: AbortSignal): AsyncGenerator<object, void> {
    const gate = createGate();
    const subscriber: Subscriber = {
      queue: delivery === "blocking" ? [...shared] : [],
      wake: gate.open,
      ended: false,
    };
    const end = () => {
      subscriber.ended = true;
      subscribers.delete(subscriber);
      gate.open();
      room.open();
    };
    subscribers.add(subscriber);
    signal.addEventListener("abort", end);
    if (delivery === "serial") void sendAll();
    const queue = delivery === "stolen" ? shared : subscriber.queue;
    try {
      while (!subscriber.ended) {
        const [event] = queue;
        if (event === undefined) {
          await gate.wait();
          continue;
        }
        // Stolen: taken before it is sent, and the next one goes to another. Serial: only a sent one lets
        // the sender go on.
        if (delivery === "stolen") {
          queue.shift();
          subscribers.delete(subscriber);
          subscribers.add(subscriber);
        }
        yield event;
        if (delivery !== "stolen") queue.shift();
        room.open();
      }
    } finally {
      signal.removeEventListener("abort", end);
      end();
    }
  }

  return {
    publish,
    subscribe,
    endStreams() {
      for (const subscriber of [...subscribers]) {
        subscriber.ended = true;
        subscriber.wake();
      }
      subscribers.clear();
      room.open();
    },
  };
}

/** Lets all that wait go on, once for each opening. */
function createGate(): { wait(): Promise<void>; open(): void } {
  let waiting: (() => void)[] = [];
  return {
    wait: () => new Promise((resolve) => waiting.push(resolve)),
    open() {
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
  };
}
