import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DockerfileParser, type Instruction, type ModifiableInstruction } from 'dockerfile-ast';

/**
 * Takes the steps of a Dockerfile where there is no Docker: each stage is a copy-on-write view of this machine (overlayfs) in
 * which the instructions are done one after the other, by chroot. So it is not the base image's own files that they meet, but
 * whether each step works, what it leaves, and as whom the program then runs is as in the image.
 */
export interface Built {
  /** Runs a command in a finished stage as the user that it ends with, in its environment. */
  readonly run: (stage: string, argv: readonly string[]) => { status: number | null; stdout: string; stderr: string };
  /** Bytes of a folder of a stage. */
  readonly size: (stage: string, folder: string) => number;
  readonly close: () => void;
}

interface Stage {
  readonly root: string;
  /** What it wrote, and what the stages that it began with wrote, the last first. */
  readonly layers: readonly string[];
  readonly environment: Record<string, string>;
  workdir: string;
  user: string;
}

const PASSED = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' };

const words = (instruction: Instruction): string[] => instruction.getArguments().map((each) => each.getValue());

/** Does all stages of a Dockerfile with `context` as the folder that is built. Throws when a step fails. Needs root. */
export const takeSteps = (dockerfile: string, context: string): Built => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-image-'));
  // A file system of its own: layers of an overlay may not lie within each other.
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]);
  const stages = new Map<string, Stage>();
  const mounts: string[] = [folder];

  const begin = (name: string, from: Stage | undefined): Stage => {
    const [upper, work, root] = ['upper', 'work', 'root'].map((kind) => path.join(folder, name, kind)) as [
      string,
      string,
      string,
    ];
    for (const each of [upper, work, root]) mkdirSync(each, { recursive: true });
    // A stage on another one has that one's files above the machine's.
    const layers = [...(from?.layers ?? []), '/'];
    execFileSync('mount', [
      '-t',
      'overlay',
      'overlay',
      '-o',
      `lowerdir=${layers.join(':')},upperdir=${upper},workdir=${work}`,
      root,
    ]);
    mounts.push(root);
    for (const kind of ['proc', 'dev']) {
      execFileSync('mount', ['--bind', `/${kind}`, path.join(root, kind)]);
      mounts.push(path.join(root, kind));
    }
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path.join(root, 'tmp')]);
    mounts.push(path.join(root, 'tmp'));
    return {
      root,
      layers: [upper, ...layers.slice(0, -1)],
      environment: { ...(from?.environment ?? PASSED) },
      workdir: from?.workdir ?? '/',
      user: from?.user ?? '0:0',
    };
  };

  const run = (stage: Stage, argv: readonly string[]) => {
    const done = spawnSync(
      'chroot',
      [
        `--userspec=${stage.user}`,
        stage.root,
        '/bin/sh',
        '-c',
        'cd "$1" && shift && exec "$@"',
        'sh',
        stage.workdir,
        ...argv,
      ],
      {
        env: { ...stage.environment, npm_config_prefer_offline: 'true' },
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    return { status: done.status, stdout: done.stdout, stderr: done.stderr };
  };

  const copy = (stage: Stage, instruction: Instruction): void => {
    const flag = (instruction as ModifiableInstruction).getFlags().find((each) => each.getName() === 'from');
    const from = flag === undefined ? context : (stages.get(flag.getValue() ?? '')?.root ?? '');
    const paths = words(instruction);
    const to = paths.pop() ?? '';
    for (const each of paths) {
      const target = path.join(stage.root, path.resolve(stage.workdir, to));
      const into = to.endsWith('/') ? path.join(target, path.basename(each)) : target;
      mkdirSync(path.dirname(into), { recursive: true });
      cpSync(path.join(from, each), into, { recursive: true, verbatimSymlinks: true });
    }
  };

  const take = (stage: Stage, instruction: Instruction): void => {
    const all = words(instruction);
    switch (instruction.getKeyword()) {
      case 'WORKDIR':
        stage.workdir = path.resolve(stage.workdir, all[0] ?? '/');
        mkdirSync(path.join(stage.root, stage.workdir), { recursive: true });
        return;
      case 'ENV':
        for (const pair of all) stage.environment[pair.slice(0, pair.indexOf('='))] = pair.slice(pair.indexOf('=') + 1);
        return;
      case 'USER':
        stage.user = all[0] ?? '';
        return;
      case 'COPY':
        copy(stage, instruction);
        return;
      case 'RUN': {
        const command = (instruction.getRawArgumentsContent() ?? '').replace(/\\\n/g, ' ');
        const done = run(stage, ['/bin/sh', '-c', command]);
        if (done.status !== 0) throw new Error(`RUN ${command} ended with ${done.status}: ${done.stderr.slice(-2000)}`);
        return;
      }
      default:
    }
  };

  const close = () => {
    for (const mount of mounts.reverse()) spawnSync('umount', ['--lazy', mount]);
    rmSync(folder, { recursive: true, force: true });
  };
  const stageOf = (name: string): Stage => {
    const stage = stages.get(name);
    if (stage === undefined) throw new Error(`there is no stage ${name}`);
    return stage;
  };
  try {
    let stage: Stage | undefined;
    for (const instruction of DockerfileParser.parse(readFileSync(dockerfile, 'utf8')).getInstructions()) {
      if (instruction.getKeyword() === 'FROM') {
        const [base = '', , name = ''] = words(instruction);
        stage = begin(name, stages.get(base));
        stages.set(name, stage);
      } else if (stage !== undefined) take(stage, instruction);
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    run: (name, argv) => run(stageOf(name), argv),
    size: (name, within) =>
      Number(
        execFileSync('du', ['--summarize', '--bytes', path.join(stageOf(name).root, within)], {
          encoding: 'utf8',
        }).split('\t')[0],
      ),
    close,
  };
};
