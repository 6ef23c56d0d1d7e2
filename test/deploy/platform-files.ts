import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { SERVER_CLOSE_TIMEOUT_MS } from '../../src/server/index.ts';
import { CHECKOUT } from '../support/checkout.ts';

// The files of deploy/ that say how a platform runs the server, as far as they are about its end.

/** What a platform's grace has to hold besides what the server is told: a process that starts to end late, and ends. */
export const GRACE_MARGIN_S = 5;

/** One platform's file: how long it waits before it kills, and what the server does with that time. All in seconds. */
export interface PlatformGrace {
  readonly graceS: number;
  /** Before the signal, where the platform counts from earlier. */
  readonly preStopS: number;
  readonly preDrainDelayS: number;
  readonly drainTimeoutS: number;
}

/** How long the platform has to wait at least. */
export function graceNeededS({
  preStopS,
  preDrainDelayS,
  drainTimeoutS,
}: Omit<PlatformGrace, 'graceS'>): number {
  return preStopS + preDrainDelayS + drainTimeoutS + SERVER_CLOSE_TIMEOUT_MS / 1_000 + GRACE_MARGIN_S;
}

export function deployFile(path: string): string {
  return readFileSync(join(CHECKOUT, 'deploy', path), 'utf8');
}

/** A container of Kubernetes and of what looks like it. */
export interface Container {
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext?: Record<string, unknown>;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: unknown } };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly containers: readonly [Container];
  readonly securityContext?: Record<string, unknown>;
}

/** Anything Kubernetes knows, as far as it is looked at here. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Record<string, unknown> & { readonly template?: { readonly spec: PodSpec } };
}

/** The documents of a YAML file. @throws Error for what is no YAML, or holds a key twice. */
function manifestsOf(path: string): Manifest[] {
  return parseAllDocuments(deployFile(path)).map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors.join('; ')}`);
    return document.toJS() as Manifest;
  });
}

/** The one manifest in a file. */
export function manifestOf(path: string): Manifest {
  const [manifest, ...others] = manifestsOf(path);
  if (manifest === undefined || others.length > 0) throw new Error(`${path} is not one manifest.`);
  return manifest;
}

/** The pod of the one manifest in a file. */
export function podOf(path: string): PodSpec {
  const manifest = manifestOf(path);
  if (manifest.spec.template === undefined) throw new Error(`${path} has no pod.`);
  return manifest.spec.template.spec;
}

/** The value of a flag among arguments: `--drain-timeout=300` or `--drain-timeout 300`. */
export function flagIn(args: readonly string[], flag: string): number {
  const joined = args.join(' ');
  const [, value] = new RegExp(`${flag}[= ](\\d+)`).exec(joined) ?? [];
  if (value === undefined) throw new Error(`${flag} is not in '${joined}'.`);
  return Number(value);
}

/** One line of a systemd unit. */
export function unitLine(name: string): string {
  const [, value] = new RegExp(`^${name}=(.*)$`, 'm').exec(deployFile('systemd/holdfast@.service')) ?? [];
  if (value === undefined) throw new Error(`The unit has no ${name}=.`);
  return value;
}

function graceOfFlags(args: readonly string[], graceS: number, preStopS = 0): PlatformGrace {
  return {
    graceS,
    preStopS,
    preDrainDelayS: flagIn(args, '--pre-drain-delay'),
    drainTimeoutS: flagIn(args, '--drain-timeout'),
  };
}

/** Every platform that has a file, with its seconds read from that. */
export function platforms(): Record<'Kubernetes' | 'Cloud Run' | 'systemd', PlatformGrace> {
  const pod = podOf('kubernetes/deployment.yaml');
  const [container] = pod.containers;
  const [, sleepS] = container.lifecycle?.preStop.exec.command ?? [];
  const run = podOf('cloud-run/service.yaml');
  return {
    Kubernetes: graceOfFlags(container.args, pod.terminationGracePeriodSeconds ?? 30, Number(sleepS)),
    'Cloud Run': graceOfFlags(run.containers[0].args, run.timeoutSeconds ?? 300),
    systemd: graceOfFlags(unitLine('ExecStart').split(' '), Number(unitLine('TimeoutStopSec'))),
  };
}
