import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Command } from 'commander';
import { addServeOptions } from '../../src/cli/serve-options.ts';
import { DEFAULT_MAX_DURATION_MS } from '../../src/session/index.ts';
import { freePorts } from '../support/balancer.ts';
import { startService } from '../support/process.ts';
import type { Service } from '../support/process.ts';
import {
  deployFile,
  flagIn,
  graceNeededS,
  manifestOf,
  platforms,
  podOf,
  unitLine,
} from './platform-files.ts';
import type { Container } from './platform-files.ts';

const BOUND_MS = 60_000;

const PODS = ['kubernetes/deployment.yaml', 'cloud-run/service.yaml'] as const;
const MANIFESTS = [
  ...PODS,
  'kubernetes/service.yaml',
  'kubernetes/disruption-budget.yaml',
  'kubernetes/autoscaler.yaml',
] as const;

function containerOf(path: string): Container {
  return podOf(path).containers[0];
}

/** The flags of `holdfast api-server`. */
function knownFlags(): Set<string | undefined> {
  return new Set(addServeOptions(new Command()).options.map(({ long }) => long ?? undefined));
}

describe('what a platform waits before it kills', () => {
  it.each(Object.entries(platforms()))(
    'D3 %s: holds everything from the first warning to the last close',
    (_name, platform) => {
      expect(platform.graceS).toBeGreaterThanOrEqual(graceNeededS(platform));
    },
  );

  it('is no longer than needed, so that what hangs is killed in good time', () => {
    for (const name of ['Kubernetes', 'systemd'] as const) {
      const platform = platforms()[name];
      expect(platform.graceS - graceNeededS(platform)).toBeLessThan(10);
    }
  });

  it('is told to the server, as it counts from the signal on', () => {
    expect(deployFile('systemd/holdfast@.service')).toContain(
      `Environment=HOLDFAST_PLATFORM_GRACE=${unitLine('TimeoutStopSec')}\n`,
    );
    const { graceS, preStopS } = platforms().Kubernetes;
    expect(containerOf('kubernetes/deployment.yaml').env).toContainEqual({
      name: 'HOLDFAST_PLATFORM_GRACE',
      value: `${graceS - preStopS}`,
    });
  });

  it('is longer on Cloud Run than any call', () => {
    const { graceS } = platforms()['Cloud Run'];
    expect(flagIn(containerOf('cloud-run/service.yaml').args, '--max-duration')).toBeLessThan(graceS);
  });
});

describe('the manifests', () => {
  it.each(MANIFESTS)('%s is one manifest with a name', (path) => {
    const { apiVersion, kind, metadata } = manifestOf(path);
    expect([apiVersion, kind, metadata.name]).toEqual([
      expect.stringMatching(/^\S+$/),
      expect.stringMatching(/^[A-Z]\w+$/),
      'holdfast',
    ]);
  });

  it('are the ones kustomize is given', () => {
    const kustomization = manifestOf('kubernetes/kustomization.yaml') as unknown as { resources: string[] };
    expect(kustomization.resources.map((file) => `kubernetes/${file}`).sort()).toEqual(
      MANIFESTS.filter((path) => path.startsWith('kubernetes/')).sort(),
    );
  });

  it('never have fewer pods than before while they are replaced', () => {
    const { spec } = manifestOf('kubernetes/deployment.yaml');
    expect(spec['strategy']).toMatchObject({ rollingUpdate: { maxUnavailable: 0 } });
    expect(Number(spec['replicas'])).toBeGreaterThan(1);
  });

  it('give the container no rights', () => {
    expect(podOf('kubernetes/deployment.yaml').securityContext).toMatchObject({ runAsNonRoot: true });
    expect(containerOf('kubernetes/deployment.yaml').securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('send one client to one pod for longer than a call may last', () => {
    const { spec } = manifestOf('kubernetes/service.yaml');
    const { clientIP } = spec['sessionAffinityConfig'] as { clientIP: { timeoutSeconds: number } };
    expect(clientIP.timeoutSeconds * 1_000).toBeGreaterThan(DEFAULT_MAX_DURATION_MS);
  });

  it.each(PODS)('%s gives the server flags that it knows', (path) => {
    const [command, ...flags] = containerOf(path).args;
    expect(command).toBe('api-server');
    for (const flag of flags) expect(knownFlags()).toContain(flag.split('=')[0]);
  });
});

/** Starts the server with the arguments of a container, on ports that are free; `portOf` says where one of the file's is. */
async function startContainer(path: string): Promise<Service & { portOf(port: unknown): number }> {
  const { args, ports } = containerOf(path);
  const free = await freePorts(ports.length);
  const moved = new Map(ports.map(({ containerPort }, index) => [containerPort, free[index] ?? 0]));
  const parameters = args.map((flag) => {
    const [, name = '', port] = /^(--(?:ops-)?port)=(\d+)$/.exec(flag) ?? [];
    return port === undefined ? flag : `${name}=${moved.get(Number(port))}`;
  });
  const service = await startService(parameters, { env: { HOLDFAST_AUTH_TOKEN: 'a-token-of-the-tests' } });
  const portOf = (port: unknown): number =>
    moved.get(ports.find(({ name }) => name === port)?.containerPort ?? Number(port)) ?? 0;
  return { ...service, portOf };
}

describe.concurrent('what the platforms ask a server', () => {
  it.each(PODS)('%s: its probes are answered', { timeout: BOUND_MS }, async (path) => {
    await using server = await startContainer(path);
    const probes = Object.entries(containerOf(path)).filter(([name]) => name.endsWith('Probe'));
    expect(probes.length).toBeGreaterThan(1);
    for (const [, probe] of probes) {
      const { httpGet } = probe as { httpGet: { path: string; port: unknown } };
      const answer = await fetch(`http://127.0.0.1:${server.portOf(httpGet.port)}${httpGet.path}`);
      expect(answer.status).toBe(200);
    }
  });

  it('metrics are where the pod says, and on no other port', { timeout: BOUND_MS }, async () => {
    const path = 'kubernetes/deployment.yaml';
    await using server = await startContainer(path);
    const annotated = (name: string): string =>
      new RegExp(`prometheus.io/${name}: '?([^'\\n]+)`).exec(deployFile(path))?.[1] ?? '';
    const metricsAt = (port: unknown): Promise<Response> =>
      fetch(`http://127.0.0.1:${server.portOf(port)}${annotated('path')}`);
    const told = await metricsAt(annotated('port'));
    expect(told.status).toBe(200);
    // What the autoscaler goes by is among them.
    const { spec } = manifestOf('kubernetes/autoscaler.yaml');
    const [{ pods }] = spec['metrics'] as [{ pods: { metric: { name: string } } }];
    expect(await told.text()).toContain(`\n${pods.metric.name} `);
    expect((await metricsAt('http')).status).not.toBe(200);
    // The service shows the other port alone.
    const shown = manifestOf('kubernetes/service.yaml').spec['ports'];
    expect(shown).toEqual([expect.objectContaining({ targetPort: 'http' })]);
  });
});

describe('the systemd unit', () => {
  it('tells the main process alone, and kills what is left', () => {
    expect(unitLine('KillSignal')).toBe('SIGTERM');
    expect(unitLine('KillMode')).toBe('mixed');
  });

  it('gives the server flags that it knows', () => {
    const flags = unitLine('ExecStart').match(/--[\w-]+/g) ?? [];
    expect(flags.length).toBeGreaterThan(0);
    for (const flag of flags) expect(knownFlags()).toContain(flag);
  });

  it('is one that systemd understands, where there is one to ask', () => {
    const program = '/usr/bin/systemd-analyze';
    if (!existsSync(program)) return;
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-unit-'));
    try {
      // The Node of this machine in the place of the one in /usr/bin, which it may not have.
      const unit = deployFile('systemd/holdfast@.service').replace('/usr/bin/node', process.execPath);
      const file = join(folder, 'holdfast@.service');
      writeFileSync(file, unit);
      const { stderr, status, error } = spawnSync(program, ['verify', '--man=no', file], {
        encoding: 'utf8',
      });
      if (error !== undefined) throw error;
      const about = stderr.split('\n').filter((line) => line.includes('holdfast'));
      expect({ about, status }).toEqual({ about: [], status: 0 });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
