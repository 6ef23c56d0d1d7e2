import { MAX_KNOWN_SECRET_CHARACTERS, knownSpellings } from './known-secrets.ts';

/** What stands where a secret was. */
export const REDACTED = '[redacted]';

/** How much of one text is looked at, and told: what explains itself does so in less. */
export const MAX_TOLD_TEXT_CHARACTERS = 16_384;

/** Names of values that are secret, as they stand in texts: headers, parameters of addresses, members of JSON. */
const NAMES = [
  String.raw`(?:x[-_]?)?(?:goog[-_]?)?api[-_]?key`,
  String.raw`(?:access|refresh|id|auth|session|resume|resumption|bearer|csrf)?[-_]?token`,
  String.raw`(?:new|previous|session|resumption)[-_]?handle`,
  String.raw`(?:client|app|shared)?[-_]?secret(?:[-_]?key)?`,
  String.raw`private[-_]?key`,
  'password|passwd|passphrase|ticket|signature|jwt',
].join('|');

/** Every pattern is linear: none has a repetition within a repetition that could match the same characters. */
const SHAPES: readonly (readonly [pattern: RegExp, told: string])[] = [
  [/-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|$)/g, REDACTED],
  // Who has it is let in, whatever its scheme.
  [
    /((?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:[a-z]{1,16}\s{1,4})?)[^\s"',;]+/gi,
    `$1${REDACTED}`,
  ],
  [/(cookie["']?\s{0,4}:\s{0,4}["']?)[^"'\r\n]+/gi, `$1${REDACTED}`],
  [/(\bbearer\s{1,4})[^\s"',;]{8,}/gi, `$1${REDACTED}`],
  [/eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g, REDACTED],
  [/AIza[\w-]{10,}/g, REDACTED],
  [/ya29\.[\w-]{10,}/g, REDACTED],
  [/auth_tokens\/[\w-]+/g, `auth_tokens/${REDACTED}`],
  [/(?<![A-Za-z0-9])(?:sk|rk|pk)-[\w-]{8,}/g, REDACTED],
  [/(?<![A-Za-z0-9])(?:gh[oprsu]_|github_pat_|gsk_|glpat-|xox[a-z]-|hf_|AKIA)[\w-]{8,}/g, REDACTED],
  // In an address, also in one that stands in another one.
  [
    new RegExp(String.raw`((?:[?&;]|%3F|%26)(?:key|code|sig|${NAMES})(?:=|%3D))[^&#\s"'<>]+`, 'gi'),
    `$1${REDACTED}`,
  ],
  [new RegExp(String.raw`((?<![A-Za-z])(?:${NAMES})=)["']?[^&#\s"'<>]+`, 'gi'), `$1${REDACTED}`],
  // In JSON, also in a piece of it that was cut off, and in JSON within a string of it.
  [
    new RegExp(String.raw`((?<![A-Za-z])(?:${NAMES})\\?["']\s{0,4}:\s{0,4}\\?["'])[^"'\\]+`, 'gi'),
    `$1${REDACTED}`,
  ],
  // A header: its value is one word.
  [/((?:x-[a-z-]{0,32})?api-key\s{0,4}:\s{0,4})[^\s"',;]+/gi, `$1${REDACTED}`],
  [/(:\/\/)[^\s/@:]{0,256}:[^\s/@]{1,1024}@/g, `$1${REDACTED}@`],
];

/** As long as the handles and tokens that providers give, and longer than the names and ids that people read. */
const OPAQUE_RUN = /[A-Za-z0-9_+-]{40,}={0,2}/g;

/**
 * The text without secrets: known values, what has the shape of a key, a token or a long handle, and what stands after the
 * name of one. It is cut at `MAX_TOLD_TEXT_CHARACTERS`, so that the cost is bounded whoever wrote it.
 */
export function redactText(text: string): string {
  const isCut = text.length > MAX_TOLD_TEXT_CHARACTERS;
  let told = isCut ? text.slice(0, MAX_TOLD_TEXT_CHARACTERS) : text;
  for (const secret of knownSpellings()) told = told.replaceAll(secret, REDACTED);
  for (const [pattern, instead] of SHAPES) told = told.replace(pattern, instead);
  told = told.replace(OPAQUE_RUN, (run) => (isOpaque(run) ? REDACTED : run));
  // What stands at the cut may be a part of a secret, which is no longer known by it.
  return isCut ? `${told.slice(0, Math.max(0, told.length - MAX_KNOWN_SECRET_CHARACTERS))}…` : told;
}

/** Names are of letters with dashes; what is random has letters of both cases and digits, or is hexadecimal. */
function isOpaque(run: string): boolean {
  return (/\d/.test(run) && /[a-z]/.test(run) && /[A-Z]/.test(run)) || /^(?:[0-9a-f]+|[0-9A-F]+)$/.test(run);
}
