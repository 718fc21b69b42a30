/**
 * The event stream, with the delivery of each runtime that has one:
 *
 * - stolen (containerd 1.7): one shared queue, so each event reaches only one subscriber;
 * - blocking (containerd 2.1): a queue per subscriber; a full one blocks whatever creates events;
 * - serial (CRI-O): one sender serves subscribers in turn; one that does not read blocks the others.
 */

export type Delivery = "none" | "stolen" | "blocking" | "serial";

/** Capacity of the queues. Further events are dropped or wait. */
const sharedQueueLength = 1000;
const ownQueueLength = 100;

export interface EventHub {
  /** Publishes an event. Settles late if the runtime blocks its source. */
  publish(event: object): Promise<void>;
  /**
   * The events of one subscriber, starting with earlier ones if the runtime keeps them. Ends when `signal` aborts or
   * the hub ends its streams.
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
  /** With stolen and serial: events not yet delivered. With blocking: the newest ones, for later subscribers. */
  const shared: object[] = [];
  const room = createGate();
  let sending = false;

  /** The serial sender: delivers to each subscriber in turn and waits until it has taken the event. */
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
        // Stolen: remove the event before sending, and let the next one go to another subscriber. Serial: the sender
        // continues only after the event is sent.
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

/** Each `open` wakes everything that is waiting. */
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
