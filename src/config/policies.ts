/** Which policy each domain is to have, with its options, and where the configuration says so. */
import { dirname } from 'node:path';
import { type Origin, type RunConfig, placeText } from './config.js';
import type { PolicyOptions } from './schema.js';

/** PolicySetting is what the configuration says of one domain's policy. */
export interface PolicySetting {
  /** A built-in's name or a module's path. */
  readonly policy: string;
  /** What the path is relative to: the configuration file's folder, or the current one. */
  readonly folder: string;
  /** Undefined where none are given. */
  readonly options: PolicyOptions | undefined;
  /** The beginning of a message about the policy, such as `n.yaml:3:9: policy`. */
  readonly aboutPolicy: string;
  /** The same for one of the options, or for something within it. */
  aboutOption(path: readonly string[]): string;
}

/** policySetting gives a domain's policy: its own where the configuration has one. */
export function policySetting(config: RunConfig, domain: number): PolicySetting {
  const all: Record<string, RunConfig['domainPolicies'][string] | undefined> = config.domainPolicies;
  const own = all[domain];
  return own === undefined ? mainPolicy(config) : domainPolicy(config, domain, own);
}

function mainPolicy({ policy, policyOptions, origins }: RunConfig): PolicySetting {
  return {
    policy,
    folder: folderOf(origins.get('policy')),
    options: Object.keys(policyOptions).length === 0 ? undefined : policyOptions,
    aboutPolicy: about(origins.get('policy'), ['policy']),
    aboutOption: (path) => aboutMainOption(origins.get('policyOptions'), path),
  };
}

function aboutMainOption(origin: Origin | undefined, path: readonly string[]): string {
  if (origin?.from !== 'command line') return about(origin, ['policyOptions', ...path]);
  const isTyped = path.length === 0 || origin.keys?.includes(path[0] ?? '') !== false;
  if (isTyped || origin.others === undefined) return ['--policy-option', ...path].join(': ');
  return about(origin.others, ['policyOptions', ...path]);
}

function domainPolicy(
  { origins }: RunConfig,
  domain: number,
  own: RunConfig['domainPolicies'][string],
): PolicySetting {
  const origin = origins.get('domainPolicies');
  const path = ['domainPolicies', String(domain)];
  const shared = { folder: folderOf(origin) };
  if (typeof own === 'string') {
    const aboutPolicy = about(origin, path);
    return { ...shared, policy: own, options: undefined, aboutPolicy, aboutOption: () => aboutPolicy };
  }
  return {
    ...shared,
    policy: own.policy,
    options: own.options,
    aboutPolicy: about(origin, [...path, 'policy']),
    aboutOption: (inner) => about(origin, [...path, 'options', ...inner]),
  };
}

function folderOf(origin: Origin | undefined): string {
  return origin?.from === 'file' ? dirname(origin.file.name) : '.';
}

function about(origin: Origin | undefined, path: readonly string[]): string {
  const name = path.join('.');
  switch (origin?.from) {
    case 'file':
      return `${placeText(origin.file, { path, aboutKey: false })}: ${name}`;
    case 'command line':
      return `--${name}`;
    case undefined:
      return name;
  }
}
