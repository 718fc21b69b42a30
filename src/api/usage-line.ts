/** What a pod or container uses, as a line of text for people. */
import type { AnswerOf } from "../routes/answers.ts";
import { byteSize } from "./byte-size.ts";

/** `2026-11-29T07:00:00.000Z default/web/app 0.98 cores 48.9% 12.3 MiB/64.0 MiB`; `-` for what is not known. */
export function usageLine(usage: AnswerOf<"watchOneContainerStats">): string {
  const { time, namespace, pod, name, cores, workingSetBytes, memoryLimitBytes } = usage;
  const share = usage.cpuPercentOfLimit ?? usage.cpuPercentOfNode;
  const limit = memoryLimitBytes === null ? "" : `/${size(memoryLimitBytes)}`;
  return [
    time,
    [namespace, ...(pod === undefined ? [] : [pod]), name].map(printable).join("/"),
    `${cores === null ? "-" : cores.toFixed(3)} cores`,
    `${share === null ? "-" : share.toFixed(1)}%`,
    `${size(workingSetBytes)}${limit}`,
    `net ${rate(usage.receivedBytesPerSecond)} in ${rate(usage.sentBytesPerSecond)} out`,
    `disk ${rate(usage.readBytesPerSecond)} read ${rate(usage.writtenBytesPerSecond)} written`,
  ].join("  ");
}

const rate = (bytes: number | null): string => (bytes === null ? "-" : `${size(bytes)}/s`);

const size = (bytes: number | null): string => (bytes === null ? "-" : byteSize(bytes));

/** A name may hold anything: a line break in it would begin another line. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
