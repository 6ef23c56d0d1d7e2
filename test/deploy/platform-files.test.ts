import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Command } from 'commander';
import { addServeOptions } from '../../src/cli/serve-options.ts';
import { createServer } from '../../src/server/index.ts';
import type { HoldfastServer } from '../../src/server/index.ts';
import { echo } from '../../src/models/echo/index.ts';
import { Agent, DEFAULT_MAX_DURATION_MS } from '../../src/session/index.ts';
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

describe('what the platforms ask a server', () => {
  let server: HoldfastServer;
  let url = '';
  beforeAll(async () => {
    server = createServer({ agents: { default: new Agent({ name: 'default' }) }, model: echo() });
    ({ url } = await server.listen());
  });
  afterAll(() => server.close());

  it.each(PODS)('%s: its probes are answered', async (path) => {
    const container = containerOf(path);
    const probes = Object.entries(container).filter(([name]) => name.endsWith('Probe'));
    expect(probes.length).toBeGreaterThan(1);
    // All of them ask one port: that of operations, where there is one.
    const hasOperations = container.args.some((flag) => flag.startsWith('--ops-port'));
    const port = flagIn(container.args, hasOperations ? '--ops-port' : '--port');
    for (const [, probe] of probes) {
      const { httpGet } = probe as { httpGet: { path: string; port: string | number } };
      const named = container.ports.find(({ name }) => name === httpGet.port)?.containerPort;
      expect(named ?? httpGet.port).toBe(port);
      expect((await fetch(url + httpGet.path)).status).toBe(200);
    }
  });

  it('the autoscaler’s metric is one of the server', async () => {
    const { spec } = manifestOf('kubernetes/autoscaler.yaml');
    const [{ pods }] = spec['metrics'] as [{ pods: { metric: { name: string } } }];
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(`\n${pods.metric.name} `);
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
