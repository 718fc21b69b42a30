/** Command sessions: Exec and Attach. */

import { GatewayError } from "../errors.ts";
import type { SessionRoute } from "../routes/define.ts";
import { hideSecretsInJson, secretsIn } from "../runtimes/secrets.ts";
import { isMissingCommand } from "../runtimes/translate-error.ts";
import { bridge } from "../streaming/bridge.ts";
import { channelCodec } from "../streaming/channels.ts";
import {
  type CommandSession,
  createCommandSession,
  firstSign,
  messageOf,
  type StreamChoice,
} from "../streaming/command-session.ts";
import { keepSession } from "../streaming/kept/kept-session.ts";
import type { WaitingClient } from "../streaming/pending-session.ts";
import { type Bound, invalid } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import { encodeBound } from "./gateway.ts";
import { createOwner, newSessionId } from "./kept-sessions.ts";
import { counted, openConnection, type PlanOptions, type SessionPlan } from "./session-plan.ts";

/** Checks the parameters of Exec. @throws {GatewayError} invalid_request: if they are invalid. */
export function bindExec(ctx: RequestContext<SessionRoute>, options: PlanOptions): SessionPlan {
  if (!(ctx.bound.message.cmd as readonly string[] | undefined)?.length) {
    throw invalid([
      { parameter: "command", detail: "is missing: repeat it for each word, command=ls&command=-l" },
    ]);
  }
  return bindCommand(ctx, options, { isAttach: false });
}

/** Checks the parameters of Attach. @throws {GatewayError} invalid_request: if they are invalid. */
export function bindAttach(ctx: RequestContext<SessionRoute>, options: PlanOptions): SessionPlan {
  return bindCommand(ctx, options, { isAttach: true });
}

function bindCommand(
  { route, bound, caller }: RequestContext<SessionRoute>,
  { gateway, sessions, binder, subprotocol }: PlanOptions,
  { isAttach }: { readonly isAttach: boolean },
): SessionPlan {
  const streams = completeStreams(bound);
  encodeBound(route.rpc, bound.message, binder);
  const owner = bound.gatewayParams.session === "keep" ? createOwner(caller) : undefined;
  return {
    places: 1,
    ...(owner === undefined ? {} : { whyOver: owner.whyOver }),
    open: async (client) => {
      const protocol = "v4.channel.k8s.io";
      const connection = await openConnection(route, bound.message, { gateway, sessions, client, protocol });
      const session = withoutArguments(
        createCommandSession(connection, streams, sessions),
        secretsIn(route.rpc, bound.message),
      );
      if (!isAttach) await requireStart(session, client, bound.message);
      return {
        close: () => connection.destroy(),
        begin(socket, peer) {
          const codec = channelCodec(subprotocol);
          if (owner !== undefined) {
            const kept = counted(sessions, caller, (waiting) =>
              keepSession(session, {
                id: newSessionId(),
                type: isAttach ? "attach" : "exec",
                containerId: String(bound.message.containerId),
                streams,
                limits: sessions.limits,
                lingerMs: sessions.lingerMs,
                waiting,
              }),
            );
            gateway.keptSessions.add(kept, owner);
            kept.connect(socket, { codec, peer, from: 0 });
            return kept;
          }
          return counted(sessions, caller, (waiting) =>
            bridge(socket, session, {
              streams,
              codec,
              limits: sessions.limits,
              waiting,
              neverStall: isAttach,
              peer,
            }),
          );
        },
      };
    },
  };
}

/** Runtimes repeat the command in the status of one that cannot start. */
function withoutArguments(session: CommandSession, secrets: readonly string[]): CommandSession {
  if (secrets.length === 0) return session;
  const outcome = session.outcome.then((ending) =>
    "status" in ending ? { status: hideSecretsInJson(ending.status, secrets) } : ending,
  );
  return { ...session, outcome };
}

/** @throws {GatewayError} command_not_found: if that is the runtime's first message. */
async function requireStart(session: CommandSession, client: WaitingClient, request: unknown): Promise<void> {
  const outcome = await firstSign(session, client.onCancel);
  const message = outcome !== undefined && "status" in outcome ? messageOf(outcome.status) : "";
  if (!client.gone && !isMissingCommand(message, request)) return;
  session.connection.destroy();
  client.check();
  throw new GatewayError("command_not_found", `Exec failed: ${message}`);
}

/**
 * Like kubectl, output is on by default and input is off. A terminal has one output: runtimes reject a request for
 * stderr with a terminal, but clients send one anyway.
 */
function completeStreams({ message }: Bound): StreamChoice {
  const tty = message.tty === true;
  const streams = {
    stdin: message.stdin === true,
    stdout: message.stdout !== false,
    stderr: message.stderr !== false && !tty,
    tty,
  };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw invalid([{ parameter: "stdout", detail: "at least one of stdin, stdout and stderr must be true" }]);
  }
  Object.assign(message, streams);
  return streams;
}
