/**
 * A Debian machine of the test's own, in QEMU: systemd is its first process and its cgroups are version 2, as
 * on the nodes that users have, whatever the machine is that the test runs on.
 *
 * Its disk is made once, into node_modules/.cache; what a run writes on it is forgotten at its end.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { install } from "../../src/embedded/requirements.ts";
import { command } from "../e2e/support/command.ts";
import { type Ended, runToEnd, start } from "../e2e/support/program.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { repositoryRoot } from "../support/repository.ts";

export interface Machine {
  /**
   * Runs a bash script there, as root, that ends at the first failure; answers what it printed.
   *
   * @throws {Error} with its output when it fails.
   */
  run(script: string): Promise<string>;
  /** Copies a file of this machine to a path there. */
  send(file: string, path: string): Promise<void>;
  /** Has it start anew, and settles when it is up again. */
  reboot(): Promise<void>;
  close(): Promise<void>;
}

export interface MachineOptions {
  /** How QEMU runs it: `kvm` where that works, `tcg` everywhere, at a tenth of the speed. */
  readonly accelerator: string;
  readonly report: (step: string) => void;
}

const suite = "trixie";
/** What is on it from the start: what makes it a machine that can be reached, Node and git. */
const packages = [
  ...["systemd-sysv", "udev", "dbus", "linux-image-cloud-amd64", "initramfs-tools", "kmod"],
  ...["openssh-server", "iproute2", "ca-certificates", "procps", "nodejs", "npm", "git", "curl"],
] as const;
const diskSize = "12G";
const memoryMiB = 4096;
const bootTimeoutMs = 5 * 60_000;
const authorities = "/usr/local/share/ca-certificates";

/** Makes the disk if it is not there, and boots. @throws {Error} when that fails, with what the machine last said. */
export async function createMachine({ accelerator, report }: MachineOptions): Promise<Machine> {
  await ensureTools(report);
  const folder = await ensureDisk(report);
  const port = await freePort();
  const key = join(folder, "key");
  report(`Booting Debian ${suite} (${accelerator})`);
  const qemu = start([
    // It ends with this process, however that ends.
    ...(["setpriv", "--pdeathsig=KILL", "qemu-system-x86_64"] as const),
    ...["-accel", accelerator, "-cpu", "max", "-smp", "2", "-m", String(memoryMiB)],
    ...["-display", "none", "-monitor", "none", "-serial", "stdio"],
    ...["-kernel", join(folder, "vmlinuz"), "-initrd", join(folder, "initrd.img")],
    ...["-append", "root=/dev/vda rw console=ttyS0 quiet"],
    // Writes go to a file that is gone with the process.
    ...["-snapshot", "-drive", `file=${join(folder, "disk.img")},if=virtio,format=raw,cache=unsafe`],
    ...["-netdev", `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:22`, "-device", "virtio-net,netdev=net"],
  ]);
  const options = [
    ...["-q", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
    ...["-o", "BatchMode=yes", "-o", "ConnectTimeout=5"],
  ];
  const ssh = (script: string): Promise<Ended> =>
    runToEnd([
      "ssh",
      ...options,
      "-p",
      String(port),
      "root@127.0.0.1",
      `bash -euo pipefail -c ${quote(script)}`,
    ]);

  async function untilUp(isUp: (boot: string) => boolean): Promise<string> {
    const boot = async () => (await ssh("cat /proc/sys/kernel/random/boot_id")).stdout.trim();
    const found = eventually(
      async () => {
        const id = await boot();
        return isUp(id) && id;
      },
      { timeoutMs: bootTimeoutMs, intervalMs: 500 },
    );
    const ended = qemu.ended.then(({ stdout, stderr }) => {
      throw new Error(`The machine ended: ${stderr}${stdout.split("\n").slice(-20).join("\n")}`);
    });
    return await Promise.race([found, ended]);
  }
  async function close(): Promise<void> {
    qemu.killGroup("SIGTERM");
    await qemu.ended;
  }
  async function run(script: string): Promise<string> {
    const { code, stdout, stderr } = await ssh(script);
    if (code !== 0) throw new Error(`${script}\nended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  try {
    let boot = await untilUp((id) => id !== "");
    return {
      run,
      close,
      async send(file, path) {
        await command(["scp", ...options, "-P", String(port), file, `root@127.0.0.1:${path}`]);
      },
      async reboot() {
        // The connection may end before the command does.
        await ssh("systemctl reboot");
        boot = await untilUp((id) => id !== "" && id !== boot);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** For the shell at the other end. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function ensureTools(report: (step: string) => void): Promise<void> {
  const tools = {
    "/usr/bin/qemu-system-x86_64": "qemu-system-x86",
    "/usr/bin/mmdebstrap": "mmdebstrap",
    "/usr/sbin/mke2fs": "e2fsprogs",
    "/usr/bin/ssh": "openssh-client",
  };
  const missing = Object.entries(tools).flatMap(([program, name]) => (existsSync(program) ? [] : [name]));
  if (missing.length > 0) await install(missing, report);
}

/** What is done to the new root before it becomes a disk; the shell has its path as `$1`. */
const hooks = [
  'install -D -m 600 "$KEY.pub" "$1/root/.ssh/authorized_keys"',
  'chroot "$1" passwd --delete root >&2',
  'echo "/dev/vda / ext4 defaults 0 1" > "$1/etc/fstab"',
  'echo node > "$1/etc/hostname"',
  'printf "[Match]\\nName=en*\\n[Network]\\nDHCP=yes\\n" > "$1/etc/systemd/network/80-dhcp.network"',
  'chroot "$1" systemctl enable systemd-networkd ssh >&2',
  // Without KVM it computes slowly, and npm's connections time out when it opens many at once.
  'echo maxsockets=4 > "$1/etc/npmrc"',
  // QEMU's own.
  'echo nameserver 10.0.2.3 > "$1/etc/resolv.conf"',
  // Registries may be behind an authority that this machine was told of.
  `if [ -d ${authorities} ]; then cp -r ${authorities}/. "$1${authorities}/" && chroot "$1" update-ca-certificates >&2; fi`,
] as const;

/** Answers the folder with the disk, its kernel, and the key that opens it. */
async function ensureDisk(report: (step: string) => void): Promise<string> {
  const recipe = createHash("sha256").update(JSON.stringify([suite, packages, diskSize, hooks]));
  const cache = join(repositoryRoot(), "node_modules", ".cache", "crest", "machine");
  const folder = join(cache, recipe.digest("hex").slice(0, 16));
  if (existsSync(folder)) return folder;
  report(`Making the disk of a Debian ${suite}`);
  rmSync(cache, { recursive: true, force: true });
  const making = join(cache, "making");
  const root = join(making, "root");
  const key = join(making, "key");
  mkdirSync(root, { recursive: true });
  await command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]);
  await command(
    [
      ...(["mmdebstrap", "--quiet", "--variant=minbase", `--include=${packages.join(",")}`] as const),
      ...hooks.map((hook) => `--customize-hook=${hook}`),
      ...[suite, root, "http://deb.debian.org/debian"],
    ],
    { env: { KEY: key } },
  );
  for (const name of ["vmlinuz", "initrd.img"]) {
    const file = readdirSync(join(root, "boot")).find((one) => one.startsWith(`${name}-`));
    if (file === undefined) throw new Error(`Cannot boot Debian ${suite}: it has no ${name}`);
    renameSync(join(root, "boot", file), join(making, name));
  }
  await command(["/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", root, join(making, "disk.img"), diskSize]);
  rmSync(root, { recursive: true });
  renameSync(making, folder);
  return folder;
}

/** The commits of the repository, as one file that git can clone. */
export async function bundle(file: string): Promise<void> {
  await command(["git", "-C", repositoryRoot(), "bundle", "create", "--quiet", file, "HEAD"]);
}
