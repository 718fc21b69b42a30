/** The events that containerd sends, decoded by their topic. */
import type { Envelope, Messages } from "../gen/containerd/messages.ts";
import { decodeContainerd } from "./codec.ts";
import { nanosOf } from "./timestamp.ts";

/** The message of each topic. Topics that are not here, such as `/tasks/paused`, are of no use to Crest. */
const messageOfTopic = {
  "/tasks/create": "TaskCreate",
  "/tasks/start": "TaskStart",
  "/tasks/exit": "TaskExit",
  "/tasks/delete": "TaskDelete",
  "/tasks/oom": "TaskOOM",
  "/tasks/exec-added": "TaskExecAdded",
  "/tasks/exec-started": "TaskExecStarted",
  "/containers/create": "ContainerCreate",
  "/containers/update": "ContainerUpdate",
  "/containers/delete": "ContainerDelete",
  "/images/create": "ImageCreate",
  "/images/update": "ImageUpdate",
  "/images/delete": "ImageDelete",
  "/snapshot/prepare": "SnapshotPrepare",
  "/snapshot/commit": "SnapshotCommit",
  "/snapshot/remove": "SnapshotRemove",
  "/content/create": "ContentCreate",
} as const satisfies { readonly [topic: string]: keyof Messages };

export type ContainerdTopic = keyof typeof messageOfTopic;

/** An event of containerd: `topic` decides the type of `event`. */
export type ContainerdEvent = {
  [T in ContainerdTopic]: {
    readonly topic: T;
    /** When it happened, in nanoseconds since 1970. */
    readonly timeNanos: bigint;
    readonly event: Messages[(typeof messageOfTopic)[T]];
  };
}[ContainerdTopic];

/**
 * Decodes an event. Undefined for a topic that Crest does not use.
 *
 * The topic decides, not the type's URL: that of one event differs between versions of containerd.
 *
 * @throws {Malformed} If it is not protobuf.
 */
export function decodeEvent({ topic, timestamp, event }: Envelope): ContainerdEvent | undefined {
  if (!isKnown(topic)) return undefined;
  const wire = Buffer.from(event?.value ?? "", "base64");
  const decoded = {
    topic,
    timeNanos: nanosOf(timestamp),
    event: decodeContainerd(messageOfTopic[topic], wire),
  };
  // The table above pairs topics with their messages.
  return decoded as ContainerdEvent;
}

const isKnown = (topic: string): topic is ContainerdTopic => Object.hasOwn(messageOfTopic, topic);
