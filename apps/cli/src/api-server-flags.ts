// Flags of upstream's API server, and one of its controller manager, that "aksel up" hands to the server as they are; what they say holds for every cluster of it.

import type { Command } from 'commander'

interface ApiServerFlag {
  readonly name: string
  /** `<file>`; '' where the flag alone says it. */
  readonly value: string
  readonly description: string
}

const flags: readonly ApiServerFlag[] = [
  {
    name: 'audit-policy-file',
    value: '<file>',
    description: 'audit.k8s.io/v1 Policy: what of which request is recorded',
  },
  {
    name: 'audit-webhook-config-file',
    value: '<file>',
    description: 'kubeconfig of a service that gets audit events too',
  },
  {
    name: 'audit-webhook-mode',
    value: '<mode>',
    description: 'batch, blocking: each event by itself, and answers wait for it, or blocking-strict (batch)',
  },
  {
    name: 'audit-webhook-initial-backoff',
    value: '<time>',
    description: 'before that service is tried again, half as long again each time, five times in all (10s)',
  },
  {
    name: 'audit-webhook-batch-buffer-size',
    value: '<count>',
    description: 'events that wait for it; what comes then is lost, and counted (10000)',
  },
  { name: 'audit-webhook-batch-max-size', value: '<count>', description: 'events that it is sent at once (400)' },
  { name: 'audit-webhook-batch-max-wait', value: '<time>', description: 'for which an event waits for others (30s)' },
  {
    name: 'audit-webhook-batch-throttle-qps',
    value: '<count>',
    description: 'batches a second, on average (10)',
  },
  {
    name: 'audit-webhook-batch-throttle-burst',
    value: '<count>',
    description: 'batches at once, if there were none for a while (15)',
  },
  { name: 'audit-webhook-truncate-enabled', value: '', description: 'cut events that are too large for the service' },
  {
    name: 'audit-webhook-truncate-max-event-size',
    value: '<bytes>',
    description: 'of one event, where they are cut (102400)',
  },
  {
    name: 'audit-webhook-truncate-max-batch-size',
    value: '<bytes>',
    description: 'of one batch, where they are cut (10485760)',
  },
  {
    name: 'authentication-config',
    value: '<file>',
    description:
      'AuthenticationConfiguration: issuers that are believed, and where nobody may go; read again when it changes',
  },
  {
    name: 'authorization-config',
    value: '<file>',
    description: 'AuthorizationConfiguration: who is asked whether a request may be; read again when it changes',
  },
  {
    name: 'encryption-provider-config',
    value: '<file>',
    description: 'EncryptionConfiguration: kinds that are sealed in the store; read again when it changes',
  },
  { name: 'max-requests-inflight', value: '<count>', description: 'seats of flow control, with the next (8000)' },
  {
    name: 'max-mutating-requests-inflight',
    value: '<count>',
    description: 'seats of flow control, beside those (4000)',
  },
  {
    name: 'audit-log-path',
    value: '<file>',
    description: 'of the audit log, or - for the standard output (server/audit.jsonl of the data folder)',
  },
  {
    name: 'audit-log-mode',
    value: '<mode>',
    description:
      'batch, blocking: answers wait for their lines, or blocking-strict: nothing is done unrecorded (batch)',
  },
  { name: 'audit-log-maxsize', value: '<megabytes>', description: 'of the audit log, before it is put aside (100)' },
  { name: 'audit-log-maxbackup', value: '<count>', description: 'audit logs that were put aside and are kept (10)' },
  { name: 'audit-log-maxage', value: '<days>', description: 'for which they are kept at most (30)' },
  {
    name: 'terminated-pod-gc-threshold',
    value: '<count>',
    description: 'ended pods of a cluster that are kept, the newest; 0 keeps all (12500)',
  },
]

export function addApiServerFlags(command: Command): void {
  for (const { name, value, description } of flags)
    command.option(value === '' ? `--${name}` : `--${name} ${value}`, description)
}

/** The flags that were given, as the server reads them. `given` has them by their names in camel case. */
export function apiServerArguments(given: object): readonly string[] {
  return flags.flatMap(({ name }) => {
    const value = (given as Readonly<Record<string, string | boolean | undefined>>)[camelCase(name)]
    if (value === undefined) return []
    return value === true ? [`--${name}`] : [`--${name}`, String(value)]
  })
}

function camelCase(name: string): string {
  return name.replaceAll(/-(\w)/g, (_found, letter: string) => letter.toUpperCase())
}
