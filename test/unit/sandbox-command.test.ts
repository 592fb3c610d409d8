import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandScript, guestEnvironment } from '../../src/sandbox/command-script.js';

describe('the command script', () => {
  it('gives the program exactly the arguments it was given, whatever is in them', () => {
    const print = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
    const argument = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    const property = fc.property(fc.array(argument, { maxLength: 5 }), (args) => {
      const script = commandScript([process.execPath, '-e', print, '--', ...args], '/', {});
      expect(JSON.parse(execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }))).toEqual(args);
    });
    fc.assert(property, { numRuns: 20, examples: [[["a'b", '$HOME `x` "', '\n\\', '', '--']]] });
  });

  it('sets the folder and the environment', () => {
    const script = commandScript(['sh', '-c', 'pwd; echo "$A"'], '/usr', {
      A: "it's\n$B",
      'not-a-name': 'x',
    });
    expect(execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' })).toBe("/usr\nit's\n$B\n");
  });
});

describe('the guest environment', () => {
  it('passes on the terminal and locale, not the rest of the host', () => {
    const environment = guestEnvironment(
      { A: '1' },
      { TERM: 'dumb', SECRET: 's', PATH: '/x/bin', HOME: '/h' },
    );
    expect(environment).toMatchObject({ TERM: 'dumb', A: '1', HOME: '/h', NODELAND_SANDBOX: '1' });
    expect(environment).not.toHaveProperty('SECRET');
    expect(environment['PATH']).toMatch(/^\/x\/bin:/);
    expect(environment['PATH'].split(':')).toContain('/usr/sbin');
  });
});
