/**
 * Explains each problem to its reader: what happened, and what to do. An error code without an entry here is a compile
 * error.
 */
import type { ErrorCode } from "../errors.ts";

export interface Explanation {
  /** In the Markdown subset of descriptions, like `remedy`. */
  readonly happened: string;
  readonly remedy: string;
  /** Additional members of this problem, with their descriptions. */
  readonly members?: { readonly [name: string]: string };
}

const places = { errors: "Each mistake, with a `pointer` into the body or the `parameter`'s name." };

const limitMembers = {
  limit:
    "The limit, by its name in [getGrants](/docs#getGrants) and in the metrics; `allSessions` is that of all callers.",
  max: "Its value.",
  setting: "The flag that changes it.",
};

export const explanations: { readonly [Code in ErrorCode]: Explanation } = {
  invalid_request: {
    happened:
      "The request was understood as HTTP, but something in it cannot be: an unknown field or parameter, a value of a wrong type or out of range, something that is required and missing. The gateway refuses it before the runtime sees it, or the runtime found that the node cannot do it: a CPU or a device that it does not have, a memory limit that is too low.",
    remedy:
      "Read `errors`: each names the place as you wrote it and says what would be right, or what the runtime said of it. A mistake that shows only when a container is started has no place in that request: `detail` says what is wrong with the container's config.",
    members: places,
  },
  invalid_json: {
    happened:
      "The body is not JSON: a syntax error, bytes that are not UTF-8, a byte order mark, or the same member twice in one object.",
    remedy:
      "Mend the place that `errors` points to. In a shell, write the body in a file and send it with `curl --json @FILE`: quotes get lost on command lines.",
    members: places,
  },
  invalid_yaml: {
    happened:
      "The body is not YAML 1.2, or holds what JSON cannot say: the same key twice, a second document, directives, tags, merge keys, infinity. Or its aliases repeat more than 10,000 values.",
    remedy: "Mend the place that `errors` and the line in `detail` point to, or send the same as JSON.",
    members: places,
  },
  bad_reference: {
    happened: "The runtime cannot read the image's name as a reference.",
    remedy:
      "Write it as `REGISTRY/PATH:TAG` or `REGISTRY/PATH@sha256:DIGEST`, in lower case but for the tag: `docker.io/library/busybox:1.35`.",
  },
  unknown_handler: {
    happened: "The pod asks for a runtime handler that the runtime's configuration does not have.",
    remedy:
      "Leave `runtimeHandler` out for the default one, or take one that [getRuntimeStatus](/docs#getRuntimeStatus) lists.",
  },
  command_not_found: {
    happened:
      "There is no such program in the container: not at that path, or on none of the paths that the image's `PATH` names. Or what stands there is no program: a folder, a file that nobody may execute.",
    remedy:
      'Give the program\'s full path. No shell interprets a command: for pipes and variables run one, `["sh", "-c", "..."]`, if the image has it.',
  },
  unauthenticated: {
    happened:
      'The request has no token, or one that is wrong, was revoked or has expired: `detail` says which. With a token, `WWW-Authenticate` has `error="invalid_token"` (RFC 6750).',
    remedy:
      "Send `Authorization: Bearer TOKEN` with the content of the gateway's token file. `crest` prints the path of that file when it starts: `DATA_DIR/token`, unless `--token-file` says otherwise. A token that was right before is wrong if the file was replaced and the gateway restarted. Other tokens come from `crest token create` or [createToken](/docs#createToken). A stream or a session whose token is revoked or expires ends with this problem, or with the close code 4401. A browser's WebSocket offers the token as a subprotocol.",
  },
  not_capable: {
    happened:
      "The operation, or a field of the request, needs a grant that the gateway was not started with, that the caller's token does not have, or that was denied. A pod or container that asks for something of the node needs a word of `host`: `errors` then has every reason with its place in the body and its flag. Nothing was changed.",
    remedy:
      "If the caller is meant to do this, restart the gateway as `detail` says: with the flags that grant it, and without those that deny it, which beat every grant. Or give it another token, where `detail` says so. [getGrants](/docs#getGrants) lists what you may do.",
    members: {
      grants: "All grants that are missing: `run`, `host`, `read:pods`.",
      grant: "The first of them.",
      resource: "The pod or the image that a missing grant is for.",
    },
  },
  host_not_allowed: {
    happened:
      "The `Host` header has a name that the gateway does not go by. That is how a web page would reach a loopback address under a name of its own (DNS rebinding).",
    remedy:
      "Use a name that the gateway accepts: its address, `localhost` on the node itself, or what `--accept-host` names. Or start it with `--accept-host NAME` for the name that you call it by.",
  },
  origin_not_allowed: {
    happened:
      "A browser sent the request on behalf of a page from another origin, as its `Origin` or `Sec-Fetch-Site` says. Besides the gateway's own, only origins that `--allow-origin` names are allowed, and only these get CORS headers.",
    remedy:
      "Start the gateway with `--allow-origin=https://app.example` for a page of yours. Or call it from its own pages, or from a program that is no browser: those send neither header. To follow a link to `/docs` from elsewhere is fine.",
  },
  route_not_found: {
    happened: "There is nothing at this path: it is misspelt, or it belongs to a later version.",
    remedy:
      "Compare it with the [reference](/docs). A trailing slash is part of the path, and ids with a slash in them must be percent-encoded, images excepted.",
  },
  not_found: {
    happened: "The pod, container or image that the request names is not there: never was, or was removed.",
    remedy:
      "List what is there. Ids may be shortened, as long as they stay unique, and names may take their place. `detail` says if the text belongs to something of another kind, or is close to another name. An image that is not there must be pulled first: `detail` has the command. On a stop or a removal there is nothing left to do.",
    members: { candidates: "The ids of what was probably meant." },
  },
  method_not_allowed: {
    happened: "The path is right, but does not take this method.",
    remedy: "Use one that the `Allow` header lists.",
  },
  not_acceptable: {
    happened: "The `Accept` header names no media type that this operation can answer with.",
    remedy:
      "Accept `application/json`, or `*/*`. Lists also have `application/x-ndjson`. Problems come as `application/problem+json`, whatever is accepted.",
  },
  request_timeout: {
    happened:
      "The request did not come whole in time: the connection is slow, or `Content-Length` promises more than was sent. On a WebSocket: the client left before the session stood.",
    remedy:
      "Send it again on a new connection. When it comes back, compare `Content-Length` with what is sent.",
  },
  image_not_found: {
    happened:
      "A pull: the registry has no such repository or tag, or shows it to nobody without credentials. A new container: its image is not on this node.",
    remedy:
      "On a pull, check the name and the tag, and whether `auth` is needed. On a new container, pull its image first: `detail` has the command.",
  },
  conflict: {
    happened:
      "The runtime refuses because of the state that something is in, or because something changed at the same moment. `detail` has its words.",
    remedy: "Look at the state, then decide whether the request still makes sense.",
  },
  already_running: {
    happened: "The container to start runs already.",
    remedy: "Nothing is left to do, unless another caller started it for another purpose.",
  },
  already_exited: {
    happened: "The container to start has run and ended. A container runs once.",
    remedy: "Remove it and create a new one, with a higher `metadata.attempt` or another name.",
  },
  not_running: {
    happened:
      "The operation needs a container that runs, and this one does not: it was only created, has ended, or is being stopped.",
    remedy:
      "Start it, or look at how it ended: [getContainer](/docs#getContainer) has `exitCode`, `reason` and `message`.",
  },
  state_changing: {
    happened:
      "Another request is starting, stopping or removing this container or pod at the moment, or making one of the same name. The runtime does one after the other. Nothing was changed.",
    remedy:
      "Wait a moment and send the same request again. It will succeed, or say in which state the container or pod is then: removed ones are `not_found`.",
  },
  not_listening: {
    happened:
      "No process in the pod listens on any of the ports. It has not started yet, has ended, or listens on another port.",
    remedy: "Look at the pod's containers and at the port that they open, then connect again.",
  },
  pod_not_ready: {
    happened: "The pod was stopped, or has died. It never becomes ready again.",
    remedy: "Remove it and run a new one.",
  },
  name_reserved: {
    happened:
      "A pod with the same name, namespace, uid and attempt exists, or a container with the same name and attempt in the pod. A request for a pod without a `uid` is also refused while a ready pod that Crest created has the name and namespace. `Location` is the path of the one that has the name, unless it is still being created or you may not see it.",
    remedy:
      "If it is yours from an earlier attempt whose answer was lost, use it. Otherwise remove it, or choose another name or a higher `attempt`. To be told the same answer again, send an `Idempotency-Key`.",
    members: {
      podSandboxId: "The pod that has the name.",
      containerId: "The container that has the name.",
    },
  },
  port_in_use: {
    happened:
      "Another pod has a host port of this one, with the same protocol and an address in common; no `hostIp` means all addresses. On Docker and on older versions of CRI-O, it may also be a process of the node. `detail` names the pod if Crest knows it.",
    remedy: "Choose another `hostPort`, or stop or remove the pod that has it.",
    members: { errors: "Each mapping whose host port is in use, with a `pointer` into the body." },
  },
  image_in_use: {
    happened: "A container, running or not, was made from this image.",
    remedy: "Remove the container that `detail` names first.",
  },
  image_pinned: {
    happened:
      "The runtime needs this image: it starts every pod from it, or its configuration pins it. Without it no new pod could be run.",
    remedy: "Leave it. To replace it, change the runtime's configuration on the node first.",
  },
  pull_cancelled: {
    happened:
      "Somebody cancelled the pull with [cancelPull](/docs#cancelPull), or the gateway is shutting down. All who waited for it get this answer.",
    remedy: "Send the same request again if you still want the image.",
  },
  ambiguous_id: {
    happened:
      "Several ids begin with the digits that were given, or several pods or containers have the name. A request that changes something is also refused if the text begins an id and is the name of something else, and a removal if there is more than one attempt under the name.",
    remedy:
      "Give more digits, or more of the name: `NAMESPACE/POD`, `NAMESPACE/POD/CONTAINER`, percent-encoded in a path (`demo%2Fweb%2Fmain`). A full id always means one.",
    members: {
      candidates: "Ids that may be meant, 20 at most.",
      matches: "The same with their names and states.",
    },
  },
  log_not_readable: {
    happened:
      "The container has no log that Crest may read: it was created without a log path, its log lies outside the folders for logs, or what is there is no regular file. `detail` says which.",
    remedy:
      "Create pods without `logDirectory`, or with one below Crest's data folder or `/var/log/pods`; the log is where it was asked for on the node.",
  },
  cursor_gone: {
    happened:
      "The part of the log behind which to go on was removed: it was rotated away, or the container is gone.",
    remedy:
      "Go on with `cursor` of the problem, the nearest place that exists. What is between them is lost.",
    members: { cursor: "The nearest cursor that exists; absent when the log has no later line." },
  },
  body_too_large: {
    happened: "The body is over 1 MiB, or it is YAML of over 128 KiB.",
    remedy: "Bodies are configurations: files belong into an image or a mount.",
  },
  unsupported_media_type: {
    happened: "The body is not declared as `application/json` or `application/yaml`, or it is compressed.",
    remedy:
      "Send it with `curl --json`, or with `Content-Type: application/json` or `application/yaml`, and uncompressed.",
  },
  registry_unauthorized: {
    happened:
      "The registry refused the pull: it wants credentials, the ones that were sent are wrong, or they do not reach this repository. Many registries answer so for what does not exist, too.",
    remedy:
      "Send `auth` with a user name and a password or token for that registry. Check the repository's name.",
  },
  platform_missing: {
    happened:
      "The registry has the image, but no variant of it for the node's operating system and processor.",
    remedy:
      "Pull another tag, or have the image built for this platform too: `docker buildx build --platform linux/amd64,linux/arm64`. What the node has, `uname -m` says there.",
  },
  signature_rejected: {
    happened:
      "The node's signature policy does not accept the image: it is not signed, or not by a key that the policy names.",
    remedy:
      "Pull an image that is signed as the policy asks. The policy is the runtime's, of CRI-O `/etc/containers/policy.json` or its `signature_policy`.",
  },
  idempotency_key_reused: {
    happened:
      "The `Idempotency-Key` of the request was used before, by the same caller, for another request: with another body, or for another operation or path. Nothing was done.",
    remedy:
      "Take a new key for each new request, such as a random UUID. Only a retry has the key of the first attempt.",
  },
  output_too_large: {
    happened:
      "The command wrote more than the runtime can give back at once, about 16 MiB on most. It has run; its output is lost, or incomplete.",
    remedy:
      "Have it write less, or run it through the WebSocket [execContainer](/docs#execContainer), which has no such bound.",
  },
  upgrade_required: {
    happened:
      "The path is a WebSocket, and the request was not a handshake of version 13. SPDY, which older versions of kubectl use, is not spoken.",
    remedy: "Connect with a WebSocket client. [Sessions](/docs#sessions) says what is spoken then.",
  },
  headers_too_large: {
    happened:
      "The URL and the headers together are over 384 KiB, or there are more than 1,000 headers. While very many connections are open the limit is lower, but at least 16 KiB.",
    remedy: "Shorten them: cookies are not needed, and a long command fits into a script in the image.",
  },
  too_many_sessions: {
    happened:
      "As many sessions and streams are open as the gateway permits, to all callers together or to this one. A port-forward counts once for each of its ports.",
    remedy:
      "Close what is no longer used and try again, or start the gateway with a higher limit: `setting` names it. [getGrants](/docs#getGrants) lists the limits of a caller.",
    members: limitMembers,
  },
  too_many_requests: {
    happened:
      "The caller has reached one of its limits: requests a second, connections, pulls or request bodies. Or its address has sent too many requests without a valid token, which the right token ends at once. The request was refused before it did anything.",
    remedy:
      "Send the same request again as soon as `Retry-After` says. If it happens to a program that does nothing wrong, raise the limit: `setting` names it. [getGrants](/docs#getGrants) lists the limits of a caller.",
    members: limitMembers,
  },
  registry_rate_limited: {
    happened:
      "The registry takes no more requests from this node, or from this account, for now. Registries limit pulls without credentials the most.",
    remedy:
      "Wait as long as `Retry-After` says, and longer if it happens again: some registries count over hours. Send `auth`, which raises the limit on most registries, or pull from a mirror.",
  },
  runtime_exhausted: {
    happened: "The runtime says that it is out of something: memory, disk, or places for sessions.",
    remedy: "Free what `detail` names on the node, or wait, then send the same request again.",
  },
  not_implemented: {
    happened: "This runtime, in this version, does not have the RPC, or was built without what it needs.",
    remedy:
      "[getCapabilities](/docs#getCapabilities) lists what it has. Newer versions may have more; sending it again will not help.",
  },
  reply_too_large: {
    happened:
      "The runtime's answer is over the limit of its messages, 16 MiB on most, or its text is over what one caller may have of `--max-buffer`. Long lists with large annotations grow so. The gateway reads lists of pods and containers in parts then: by state, containers also pod by pod, and pods one by one on containerd, which can list ids alone. What is still too large is named among the `failures` of the list, or the list fails.",
    remedy:
      "Ask for less with filters, such as `state`, `labelSelector` or an id, or take the list as `application/x-ndjson`, where the runtime can stream it. Remove what is left over on the node.",
  },
  registry_unreachable: {
    happened:
      "The runtime cannot reach the registry: no such host, no connection, or a certificate that it does not trust.",
    remedy:
      "Check name and network from the node itself. A certificate of your own must be known to the runtime. Then try again.",
  },
  registry_failed: {
    happened:
      "The registry, or a proxy before it, answered with an error of its own (5xx), ended the connection, or sent something that is not an image's manifest. `detail` has its words.",
    remedy:
      "Send the same request again after a while. If it stays so, look at the registry's status and log.",
  },
  registry_plain_http: {
    happened: "The registry speaks plain HTTP on its port, and the runtime insists on HTTPS.",
    remedy:
      "Check the port. If the registry is meant to have no TLS, tell the runtime: containerd in `/etc/containerd/certs.d/HOST/hosts.toml`, CRI-O with `insecure = true` in `/etc/containers/registries.conf`, Docker with `insecure-registries` in `/etc/docker/daemon.json`. Others on the network can then change what is pulled.",
  },
  digest_mismatch: {
    happened:
      "A manifest or a layer that the registry sent is not the one that its digest names. The registry's storage is damaged, something on the way changes what it sends, or somebody tampers with it.",
    remedy:
      "Send the same request again: containerd may fail once or twice more at what it has received. If it stays so, pull from another network or mirror to see who changes it. If it is the registry, push the image again.",
  },
  pull_interrupted: {
    happened:
      "The runtime ended the pull because another one of the same image, or of one with the same layers, was cancelled: by `crictl`, a kubelet, or another gateway. Crest had tried a second time already.",
    remedy: "Send the same request again.",
    members: { grpcCode: "The gRPC status that the runtime answered with." },
  },
  runtime_error: {
    happened:
      "The runtime failed, and its words, in `detail`, say no more than that; or what it answered cannot be read. It may have done part of the work.",
    remedy: "Look at the state of what the request was about, and into the runtime's own log on the node.",
    members: {
      grpcCode: "The gRPC status that the runtime answered with.",
      podSandboxId:
        "Of [runPod](/docs#runPod): the pod that the failed run left and that the gateway could not remove. Remove it yourself once the cause is gone.",
    },
  },
  network_teardown_failed: {
    happened:
      "The runtime did not stop or remove the pod, because its CNI plugin failed to remove the pod's network. The containers in the pod are stopped. The runtime will fail again until the plugin succeeds.",
    remedy:
      "Fix what the CNI plugin complains about, in its configuration on the node (`/etc/cni/net.d`, or `DATA_DIR/cni` with `crest up`), and send the request again: runtimes notice the change. With containerd you can also remove the containers in the pod, run `ctr --namespace k8s.io containers delete POD_ID`, from containerd 2.0 on `ctr --namespace k8s.io sandboxes rm POD_ID`, and restart containerd. `crest up` removes such pods when it ends.",
    members: { grpcCode: "The gRPC status that the runtime answered with." },
  },
  runtime_unavailable: {
    happened:
      "The runtime does not answer on its socket: it is down, restarting, or not ready yet. During the first 5 s of an outage requests wait for its return. The runtime did nothing, or what it did may be repeated.",
    remedy:
      "Wait for `/readyz` to answer 200, or as long as `Retry-After` says, then send the same request again.",
  },
  overloaded: {
    happened:
      "Answers that clients have not read yet fill the memory that the gateway has for them, or the half of it that one caller may have. The request was refused before it did anything.",
    remedy:
      "Send the same request again as soon as `Retry-After` says. Read answers to their end, or close the connection, and ask for less at a time with `limit`. `--max-buffer` sets the amount.",
  },
  issuer_unavailable: {
    happened:
      "The request has a JSON Web Token, and the gateway cannot read the public keys of its issuer (`--jwt-jwks`), or no longer knows any. Callers with other tokens are not affected. The gateway's log says why.",
    remedy: "Send the same request again, or see whether the node reaches the issuer.",
  },
  tokens_file_unavailable: {
    happened:
      "A token was to be made or revoked, and the gateway cannot change its tokens file: the disk is full or read-only, or the file is broken or not to be trusted. Nothing was changed. The gateway's log says why.",
    remedy: "Mend what the log names. `crest token list` on the node reads the same file.",
  },
  audit_failed: {
    happened:
      "The gateway keeps an audit log (`--audit-file`), and could not write the line of this request: the disk is full, or the file is not one that it trusts. So the request was refused, and nothing ran.",
    remedy:
      "Read the gateway's log for the reason, free space or mend the file, and send the same request again. The gateway tries the file again with each request.",
  },
  shutting_down: {
    happened: "The gateway is being stopped and takes no new sessions.",
    remedy: "Connect again when it is back.",
  },
  deadline_exceeded: {
    happened:
      "The runtime took longer than the gateway waits for this operation. What was begun may still end: a pull, a stop, a removal.",
    remedy: "Send the same request again, or find out what keeps the runtime busy.",
  },
  outcome_unknown: {
    happened:
      "The request reached the runtime, and its answer was lost: the runtime went away, or took longer than the gateway waits. It may have done what it was asked, and a repetition would do something else: run a command a second time, or fail because the name is taken.",
    remedy:
      "Look first, as `detail` says. Send the request again only if you find nothing. A program must not repeat it blindly.",
  },
  exec_timeout: {
    happened:
      "The command ran longer than the `timeout` of the request, or without one longer than the gateway's `--exec-max` (1 h by default), or left a process in the background that held its output longer. The answer comes a second after the timeout at the latest. No runtime gives back the output of such a command.",
    remedy:
      "Give it more time, up to `--exec-max`. Redirect the output of what it leaves in the background, `sleep 30 >/dev/null 2>&1 &`. To see output as it comes, use the WebSocket [execContainer](/docs#execContainer). containerd and CRI-O have killed the command; with cri-dockerd it may still run, and so may what it left in the background.",
  },
  node_disk_full: {
    happened:
      "A disk of the node has no space left for the image, or for the container's or the pod's files.",
    remedy:
      "Free some on the node, then send the same request again. [getImageFilesystems](/docs#getImageFilesystems) says what images take; [removeImage](/docs#removeImage) removes those that are not needed.",
  },
  internal: {
    happened: "The gateway failed: this is a bug. Its reasons go to its log and to nobody else.",
    remedy:
      "Find the `requestId` in the gateway's log and report the lines that have it. Look at the state before you send the request again.",
  },
};
