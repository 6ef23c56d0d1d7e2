import type * as SdkModule from '@opentelemetry/sdk-trace';
import { InvalidOptionError } from '../kernel/index.ts';

type Sdk = typeof SdkModule;
type Sampler = SdkModule.Sampler;

const NAMES = ['always_on', 'always_off', 'traceidratio'] as const;

/**
 * Which live sessions are traced, by `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`: all, none, or a share of them; with
 * `parentbased_` in front as the caller has decided, where there is one. Default `parentbased_always_on`.
 * @throws InvalidOptionError for another name, and for a share that is none.
 */
export function samplerOf(sdk: Sdk, environment: NodeJS.ProcessEnv): Sampler {
  const asked = environment['OTEL_TRACES_SAMPLER']?.trim() ?? '';
  const name = asked === '' ? 'parentbased_always_on' : asked;
  const isParentBased = name.startsWith('parentbased_');
  const root = rootSampler(sdk, isParentBased ? name.slice('parentbased_'.length) : name, environment);
  return isParentBased ? new sdk.ParentBasedSampler({ root }) : root;
}

function rootSampler(sdk: Sdk, name: string, environment: NodeJS.ProcessEnv): Sampler {
  switch (name) {
    case 'always_on':
      return new sdk.AlwaysOnSampler();
    case 'always_off':
      return new sdk.AlwaysOffSampler();
    case 'traceidratio':
      return new sdk.TraceIdRatioBasedSampler(shareOf(environment['OTEL_TRACES_SAMPLER_ARG']));
    default:
      throw new InvalidOptionError(
        `OTEL_TRACES_SAMPLER is one of ${NAMES.join(', ')}, or of these with parentbased_ in front; it was '${name}'.`,
      );
  }
}

function shareOf(text: string | undefined): number {
  const share = text === undefined || text.trim() === '' ? 1 : Number(text);
  if (share >= 0 && share <= 1) return share;
  throw new InvalidOptionError(`OTEL_TRACES_SAMPLER_ARG is a share from 0 to 1; it was '${text}'.`);
}
