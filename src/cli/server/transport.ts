/** How a gateway is reached, besides its URL. */
export interface Transport {
  /** A Unix socket, as a path. */
  readonly socketPath?: string | undefined;
  /** Certificates to trust instead of the system's, as PEM. */
  readonly ca?: string | undefined;
  /** Whether `ca` begins with the gateway's own certificate, which is good for any host name. Default: false. */
  readonly isPinned?: boolean | undefined;
  /** The certificate of the client and its key, as PEM. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}
