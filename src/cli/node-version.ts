/** The oldest Node that has all we use, as `engines` of package.json says. */
const OLDEST = [22, 18] as const;

/** What is wrong with this Node, `22.18.0` say; undefined where nothing is. */
export function nodeWarning(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `Node ${OLDEST.join('.')} or newer is needed, and this is ${version}. In a checkout, npm start brings its own.`;
}
