/** PortForward sessions, with one connection per port. */
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { SessionRoute } from "../routes/define.ts";
import { listeningPorts } from "../runtimes/listening-ports.ts";
import { channelCodec } from "../streaming/channels.ts";
import type { WaitingClient } from "../streaming/pending-session.ts";
import { bridgePorts, createForwarded, type Forwarded } from "../streaming/port-forward.ts";
import { type Bound, invalid } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import { encodeBound } from "./gateway.ts";
import { counted, openConnection, type PlanOptions, type SessionPlan } from "./session-plan.ts";

/** Checks the parameters of PortForward. @throws {GatewayError} invalid_request: if they are invalid. */
export function bindForward(
  { route, bound, caller }: RequestContext<SessionRoute>,
  { gateway, sessions, binder, subprotocol }: PlanOptions,
): SessionPlan {
  encodeBound(route.rpc, bound.message, binder);
  const raw = bound.gatewayParams.raw === true;
  const { channels } = channelCodec(subprotocol);
  // With more ports than the registry or the caller has places, the request could never succeed, but would look retryable.
  const { sessions: mostOfCaller = mostPorts } = gateway.limits.limitsOf(caller);
  const maxPorts = Math.min(mostPorts, Math.floor(channels / 2), sessions.registry.most, mostOfCaller);
  const ports = portsOf(bound, raw, maxPorts);
  return {
    places: ports.length,
    open: async (client) => {
      const podSandboxId = String(bound.message.podSandboxId);
      await requireListener(gateway.runtime, podSandboxId, { ports, client });
      const opened: Forwarded[] = [];
      const close = (): void => {
        for (const { connection } of opened) connection.destroy();
      };
      const protocol = "portforward.k8s.io";
      try {
        for (const port of ports) {
          const message = { podSandboxId, port: [port] };
          const connection = await openConnection(route, message, { gateway, sessions, client, protocol });
          opened.push(createForwarded(connection, port));
        }
      } catch (error) {
        close();
        throw error;
      }
      return {
        close,
        begin: (socket, peer) =>
          counted(sessions, caller, (waiting) =>
            bridgePorts(socket, opened, { subprotocol, raw, limits: sessions.limits, waiting, peer }),
          ),
      };
    },
  };
}

/** A pod may open its ports one by one, so refuse only if none of them is open. */
async function requireListener(
  runtime: Runtime,
  podSandboxId: string,
  { ports, client }: { readonly ports: readonly number[]; readonly client: WaitingClient },
): Promise<void> {
  const listening = await listeningPorts(runtime, podSandboxId, { onCancel: client.onCancel });
  client.check();
  if (listening === undefined || ports.some((port) => listening.has(port))) return;
  throw new GatewayError(
    "not_listening",
    `Cannot forward to port ${ports.join(", ")}: nothing listens on it in pod "${podSandboxId}"`,
  );
}

function portsOf({ message }: Bound, raw: boolean, most: number): readonly number[] {
  const ports = (message.port as readonly number[] | undefined) ?? [];
  const wrong = ports.find((port) => port < 1 || port > 65535);
  if (ports.length === 0)
    throw invalid([{ parameter: "ports", detail: "is missing: name the pod's port, ports=80" }]);
  if (wrong !== undefined)
    throw invalid([{ parameter: "ports", detail: `must be from 1 to 65535, got ${wrong}` }]);
  if (raw && ports.length > 1)
    throw invalid([{ parameter: "ports", detail: "must be a single port with raw=true" }]);
  if (ports.length > most) throw invalid([{ parameter: "ports", detail: `must be at most ${most} ports` }]);
  return ports;
}

/** Each port takes a connection to the runtime, and two of the 256 channels. */
const mostPorts = 100;
