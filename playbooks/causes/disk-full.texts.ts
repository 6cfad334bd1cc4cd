import type { Fix, Look } from '../model/index.ts';
import type { Mount, StoredFile } from '../probes/mounts.ts';
import { bytes, code, list, percent, shellCommand } from '../reading/text.ts';

/** Sentences and fixes of disk-full. */

/** How much is left on a file system. */
export const spaceWords = (mount: Mount): string => {
  const { space } = mount;
  if (space === null) return '';
  const inodes = space.inodes === 0 ? '' : `, ${space.inodesFree} of ${space.inodes} inodes free`;
  return `${bytes(space.available)} of ${bytes(space.bytes)} available (${percent(space.available / Math.max(1, space.bytes))})${inodes}`;
};

/** A file system, for sentences. */
export const mountWords = (mount: Mount): string =>
  `${code(mount.point)} (${code(mount.kind, 20)} from ${code(mount.source, 60)})`;

/** What to remove, what takes room though it is deleted, and what to change in the program. */
export const fixesOf = (
  look: Look,
  mount: Mount | null,
  inodes: boolean,
  quota: boolean,
  files: readonly StoredFile[],
  place: string | null,
): Fix[] => {
  const point = mount?.point ?? null;
  const deleted = files.filter((file) => file.deleted && (file.stored ?? 0) > 0);
  const biggest = files[0];
  const { pid } = look.target;
  return [
    {
      title: inodes
        ? `Remove files from ${code(point ?? 'the file system')}: its inodes are used up`
        : `Free space on ${code(point ?? 'the file system')}`,
      detail:
        (quota
          ? 'The quota of its user, group or project is used up; the file system itself may have room. Raise it or remove what belongs to it. '
          : inodes
            ? 'There is room, but no inode for another file: many small files are the cause. See which folder has them. '
            : 'See what takes it, and remove or move it. ') +
        (biggest === undefined
          ? 'None of the process’s own open files takes much there.'
          : `Of the process’s own files ${code(biggest.path)} takes most: ${bytes(biggest.stored ?? 0)}.`),
      code: quota
        ? `repquota -s ${shellCommand([point ?? '/'])}`
        : inodes
          ? `du --inodes -x ${shellCommand([point ?? '/'])} | sort -n | tail`
          : `du -x -h ${shellCommand([point ?? '/'])} | sort -h | tail`,
    },
    ...(deleted.length === 0
      ? []
      : [
          {
            title: `Deleted files still take ${bytes(deleted.reduce((sum, file) => sum + (file.stored ?? 0), 0))}, because the process has them open`,
            detail: `${list(deleted.slice(0, 3).map((file) => `${code(file.path)} (descriptor ${file.fd})`))}: closing them, or restarting the process in an orderly way, frees that; emptying them frees it at once, and loses what is in them.`,
            code: deleted
              .slice(0, 3)
              .map((file) => `: > /proc/${pid}/fd/${file.fd}`)
              .join('\n'),
          },
        ]),
    {
      title: 'Have the program notice',
      detail: `${place === null ? 'Where it writes' : `In ${place}`} it should treat ENOSPC and EDQUOT as a fault of its own: stop taking work, say so, and not leave half a file behind.`,
      code: 'try:\n    with open(temporary, "wb") as file:\n        file.write(data)\n    os.replace(temporary, path)          # all of it, or nothing\nexcept OSError as error:\n    if error.errno in (errno.ENOSPC, errno.EDQUOT):\n        alert(f"no space for {path}")\n    raise',
    },
    {
      title: 'Verify',
      detail: 'There has to be room for what it writes in a day, and an alert well before it is used up.',
      code: `${shellCommand(['df', '-h', point ?? '/'])}; ${shellCommand(['df', '-i', point ?? '/'])}`,
    },
  ];
};

/** What to do about a device that refuses every write. */
export const deviceFixes = (look: Look, device: string): Fix[] => [
  {
    title: `Let it write to a file instead of ${code(device)}`,
    detail: `The device is for tests: it refuses every write. Who names it: the configuration, the command line, or a redirection?`,
    code: `ls -l /proc/${look.target.pid}/fd | grep -F ${shellCommand([device])}; tr '\\0' ' ' </proc/${look.target.pid}/cmdline`,
  },
];
