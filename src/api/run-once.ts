/** Runs the stages of a request with an `Idempotency-Key`, or answers it like the request that has done its work. */
import type { Route } from "../routes/define.ts";
import { noteReplay } from "../server/request-record.ts";
import type { RequestContext } from "./context.ts";
import { type Idempotency, keyedRequest } from "./idempotency.ts";
import type { Stages } from "./stages.ts";

/** What repetitions of a request need. Must hold nothing of the first one. */
interface Remembered<A> {
  readonly answer: A;
  /** `Warning` headers, which stages have set. */
  readonly warnings: number | string | string[] | undefined;
}

/** A repetition is bound and its grants are checked as ever; what follows has been done. */
export async function runOnce<R extends Route, P, A>(
  ctx: RequestContext<R>,
  stages: Stages<R, P, A>,
  { idempotency, key }: { readonly idempotency: Idempotency; readonly key: string },
): Promise<unknown> {
  const { request, reply, caller } = ctx;
  // Its client comes back for the answer.
  ctx.onCancel = () => undefined;
  const plan = await stages.begin(ctx);
  const { answer: remembered, isReplay } = await idempotency.once<Remembered<A>>(
    keyedRequest(request, caller, key),
    async () => {
      const answer = await stages.proceed(ctx, plan);
      return { answer, warnings: reply.getHeader("warning") };
    },
    ({ answer }) => stages.bytesOf(answer),
  );
  if (isReplay) {
    noteReplay(request);
    reply.header("idempotent-replayed", "true");
    if (remembered.warnings !== undefined) reply.header("warning", remembered.warnings);
  }
  return stages.answer(ctx, remembered.answer);
}
