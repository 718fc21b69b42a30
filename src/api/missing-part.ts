/** A part of an answer that is not available. The message is the reason, for the caller. */
export class MissingPart extends Error {}
