import { programPath } from './programs.js';

/** Variables of the host that a command may rightly depend on; everything else starts clean. */
const PASSED_ON =
  /^(?:TERM|COLORTERM|NO_COLOR|FORCE_COLOR|LANG|LC_\w+|TZ|CI|COLUMNS|LINES|HOME|NODELAND_\w+)$/;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** guestEnvironment is what the command finds in its environment. */
export function guestEnvironment(
  extra: Readonly<Record<string, string>> = {},
  host: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const passedOn = Object.entries(host).filter(([name]) => PASSED_ON.test(name));
  return Object.assign(
    { HOME: '/root' },
    Object.fromEntries(passedOn),
    { PATH: programPath(host), USER: 'root', LOGNAME: 'root', NODELAND_SANDBOX: '1' },
    extra,
  );
}

/** commandScript writes a /bin/sh script that becomes the command, whatever characters its arguments contain. */
export function commandScript(
  command: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>>,
): string {
  const variables = Object.entries(environment)
    .filter(([name]) => VARIABLE_NAME.test(name))
    .map(([name, value]) => `export ${name}=${quote(value)}`);
  return [...variables, `cd ${quote(cwd)} || exit 126`, `exec ${command.map(quote).join(' ')}`, ''].join(
    '\n',
  );
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
