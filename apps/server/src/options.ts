// The server's options: flags and environment, read once into an object that nothing changes.

import type { AuditMode } from '@aksel/apiserver/audit/event'
import type { RepairPeriods } from '@aksel/controllers/node-repair/judge'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { apiServerFlags, type ApiServerFlags } from './api-server-files.ts'
import { defaultAuditLogLimits, type AuditLogLimits } from './audit-log.ts'
import { readAuditBatches, readAuditMode } from './audit-webhook.ts'
import { parseSwitches, type ApiSwitches } from './api-switches.ts'
import { checkStoreName } from './open-store.ts'

export interface ServerOptions {
  readonly dataDir: string
  /** Nodes are hollow, whatever a pool asks for. */
  readonly simulated: boolean
  /** Port of the Azure front door on 127.0.0.1. */
  readonly port: number
  /** `log`, or the URL of an etcd. */
  readonly store: string
  readonly isRoot: boolean
  readonly repositoryRoot: string
  readonly logLevel: string
  /** How long old revisions can be read and watched from; the store's own where absent. */
  readonly historyMs?: number
  /** Properties of Azure resources that change nothing here are refused rather than recorded. */
  readonly strict: boolean
  /** How many requests a client of Resource Manager has: enough for this machine, or what Azure gives. */
  readonly throttling: 'local' | 'azure'
  /** Of every cluster of this server, now and later; what is absent stays as each cluster has it. */
  readonly switches: ApiSwitches
  readonly apiServer: ApiServerFlags
  /** Ended pods that are kept in each cluster, by upstream's `--terminated-pod-gc-threshold`; 0 keeps all. Upstream's number when absent. */
  readonly terminatedPodsMax?: number
  readonly auditLog: AuditLogOptions
  /** Of node auto-repair; AKS's when absent. Set by AKSEL_DEBUG_REPAIR_SECONDS alone. */
  readonly repairPeriods?: RepairPeriods
  readonly environment: Readonly<Record<string, string | undefined>>
}

export function readServerOptions(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ServerOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      data: { type: 'string' },
      simulated: { type: 'boolean' },
      port: { type: 'string' },
      store: { type: 'string' },
      'log-level': { type: 'string' },
      'etcd-compaction-interval': { type: 'string' },
      'runtime-config': { type: 'string' },
      'feature-gates': { type: 'string' },
      strict: { type: 'boolean' },
      throttling: { type: 'string' },
      'audit-log-path': { type: 'string' },
      'audit-log-mode': { type: 'string' },
      'audit-log-maxsize': { type: 'string' },
      'audit-log-maxbackup': { type: 'string' },
      'audit-log-maxage': { type: 'string' },
      'terminated-pod-gc-threshold': { type: 'string' },
      ...apiServerFlags,
    },
  })
  const isRoot = process.getuid?.() === 0
  const shared = environment['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share')
  const store = checkStoreName(values.store ?? 'log')
  const port = Number(values.port ?? '8443')
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`Cannot listen on port "${values.port}": a port is a number from 0 to 65535`)
  return {
    dataDir: resolve(values.data ?? environment['AKSEL_DATA'] ?? (isRoot ? '/var/lib/aksel' : join(shared, 'aksel'))),
    simulated: values.simulated === true || !isRoot,
    port,
    store,
    isRoot,
    repositoryRoot: fileURLToPath(new URL('../../..', import.meta.url)),
    logLevel: values['log-level'] ?? 'info',
    ...historyOf(values['etcd-compaction-interval']),
    strict: values.strict === true,
    throttling: throttlingOf(values.throttling),
    switches: switchesOf(values['runtime-config'], values['feature-gates']),
    apiServer: {
      ...path('auditPolicyFile', values['audit-policy-file']),
      ...path('auditWebhookConfigFile', values['audit-webhook-config-file']),
      ...path('authenticationConfig', values['authentication-config']),
      ...path('authorizationConfig', values['authorization-config']),
      ...path('encryptionProviderConfig', values['encryption-provider-config']),
      ...count('requestsMax', 'max-requests-inflight', values),
      ...count('mutatingRequestsMax', 'max-mutating-requests-inflight', values),
      auditWebhookMode: readAuditMode('webhook', values['audit-webhook-mode']),
      auditIsStrict: [values['audit-log-mode'], values['audit-webhook-mode']].includes('blocking-strict'),
      auditWebhookBatches: readAuditBatches(values),
    },
    auditLog: auditLogOf(values),
    ...countOrNone('terminatedPodsMax', 'terminated-pod-gc-threshold', values),
    ...repairPeriodsOf(environment['AKSEL_DEBUG_REPAIR_SECONDS']),
    environment,
  }
}

/** `5,60`: seconds that a node is sick before its first repair, and between two. For rehearsals and tests: AKS has 600 and 300. */
function repairPeriodsOf(text: string | undefined): { readonly repairPeriods?: RepairPeriods } {
  if (text === undefined) return {}
  const [, unhealthy, helps] = /^(\d+),(\d+)$/.exec(text) ?? []
  if (unhealthy === undefined)
    throw new Error(`AKSEL_DEBUG_REPAIR_SECONDS is "${text}": two numbers are wanted, as in "600,300"`)
  return { repairPeriods: { unhealthyMs: Number(unhealthy) * 1000, helpsMs: Number(helps) * 1000 } }
}

function path<Key extends string>(key: Key, value: string | undefined): { readonly [K in Key]?: string } {
  return value === undefined ? {} : ({ [key]: resolve(value) } as { readonly [K in Key]?: string })
}

function count<Key extends string>(
  key: Key,
  flag: string,
  values: Readonly<Record<string, unknown>>,
): { readonly [K in Key]?: number } {
  const value = values[flag] as string | undefined
  if (value === undefined) return {}
  if (!/^[1-9]\d*$/.test(value)) throw new Error(`Cannot read "--${flag} ${value}": a number above 0 is expected`)
  return { [key]: Number(value) } as { readonly [K in Key]?: number }
}

/** 0 is a number, too. */
function countOrNone<Key extends string>(
  key: Key,
  flag: string,
  values: Readonly<Record<string, unknown>>,
): { readonly [K in Key]?: number } {
  if (values[flag] === '0') return { [key]: 0 } as { readonly [K in Key]?: number }
  return count(key, flag, values)
}

export interface AuditLogOptions extends AuditLogLimits {
  /** Absolute, or `-` for the standard output; absent: `server/audit.jsonl` of the data folder. */
  readonly path?: string
  readonly mode: AuditMode
}

/** Sizes in megabytes and ages in days, as upstream's flags. */
function auditLogOf(values: Readonly<Record<string, unknown>>): AuditLogOptions {
  const count = (flag: string): number | undefined => {
    const value = values[flag] as string | undefined
    if (value !== undefined && !/^\d+$/.test(value))
      throw new Error(`Cannot read "--${flag} ${value}": a number is expected`)
    return value === undefined ? undefined : Number(value)
  }
  const megabytes = count('audit-log-maxsize')
  const file = values['audit-log-path'] as string | undefined
  return {
    ...(file === '-' ? { path: file } : path('path', file)),
    mode: readAuditMode('log', values['audit-log-mode'] as string | undefined),
    fileMaxBytes: megabytes === undefined ? defaultAuditLogLimits.fileMaxBytes : megabytes * 1024 * 1024,
    backupsMax: count('audit-log-maxbackup') ?? defaultAuditLogLimits.backupsMax,
    ageMaxDays: count('audit-log-maxage') ?? defaultAuditLogLimits.ageMaxDays,
  }
}

/** `90s`, `5m`, `1h`, as upstream's flag of the same name. */
function historyOf(text: string | undefined): { readonly historyMs?: number } {
  if (text === undefined) return {}
  const [, count, unit] = /^([1-9]\d*)(s|m|h)$/.exec(text) ?? []
  if (count === undefined)
    throw new Error(`Cannot read "--etcd-compaction-interval ${text}": 90s, 5m and 1h are intervals`)
  const unitsMs = { s: 1000, m: 60_000, h: 3_600_000 } as const
  return { historyMs: Number(count) * unitsMs[unit as keyof typeof unitsMs] }
}

function switchesOf(runtimeConfig: string | undefined, featureGates: string | undefined): ApiSwitches {
  return {
    ...(runtimeConfig === undefined
      ? {}
      : { runtimeConfig: parseSwitches('runtime-config', runtimeConfig, { bare: true }) }),
    ...(featureGates === undefined
      ? {}
      : { featureGates: parseSwitches('feature-gates', featureGates, { bare: false }) }),
  }
}

function throttlingOf(value: string | undefined): ServerOptions['throttling'] {
  if (value === undefined || value === 'local') return 'local'
  if (value === 'azure') return 'azure'
  throw new Error(`Cannot throttle as "${value}": it is local or azure`)
}
