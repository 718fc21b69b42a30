/** Where containerd keeps unpacked layers. */
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { oncePerConnection } from "../cri/once-per-connection.ts";

const usual = "overlayfs";

/**
 * The name of the snapshotter that containerd uses for images, queried once per connection. CRI shows it only in the
 * path of the image file system: `/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs`. Default: overlayfs.
 */
export const snapshotterOf: (runtime: Runtime) => Promise<string> = oncePerConnection(async (runtime) => {
  const { imageFilesystems } = await call(runtime, "ImageService/ImageFsInfo", {});
  const path = imageFilesystems[0]?.fsId?.mountpoint ?? "";
  return /\/io\.containerd\.snapshotter\.v1\.([\w.-]+)$/.exec(path)?.[1] ?? usual;
});
