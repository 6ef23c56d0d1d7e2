import { deployFile } from './platform-files.ts';

/** One instruction: `COPY`, and what stands behind it. */
export interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/** One `FROM` of a Dockerfile and what follows it. */
export interface Stage {
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** The stages of deploy/docker/Dockerfile. */
export function dockerStages(): Stage[] {
  const lines = deployFile('docker/Dockerfile')
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, word = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (word === 'FROM') stages.push({ name: / AS (\w+)$/.exec(rest)?.[1], instructions: [] });
    stages.at(-1)?.instructions.push({ word, rest });
  }
  return stages;
}

/** What stands behind each instruction of one kind in a stage. */
export function instructionsOf({ instructions }: Stage, word: string): string[] {
  return instructions.filter((each) => each.word === word).map(({ rest }) => rest);
}

/** Whether a file of the checkout is kept out of the build, by deploy/docker/Dockerfile.dockerignore. */
export function isIgnored(path: string): boolean {
  const patterns = deployFile('docker/Dockerfile.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  return patterns.some((pattern) => {
    const expression = pattern
      .split(/(\*\*\/|\*)/)
      .map((part) => (part === '**/' ? '(?:.+/)?' : part === '*' ? '[^/]*' : part.replaceAll('.', '\\.')))
      .join('');
    return new RegExp(`^${expression}(?:/.*)?$`).test(path);
  });
}
