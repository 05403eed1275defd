// The service that gets audit events too: how it is reached, and upstream's flags for how much it is sent at once.

import { readFile } from 'node:fs/promises'
import {
  AuditBatches,
  defaultAuditBatches,
  defaultTruncation,
  type AuditBatchOptions,
  type SendAudit,
} from '@aksel/apiserver/audit/batches'
import { auditModes, waitingSink, type AuditMode, type AuditSink } from '@aksel/apiserver/audit/event'
import type { Counter } from '@aksel/apiserver/metrics'
import type { Scope } from '@aksel/base/scope'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig, type ClusterAccess } from '@aksel/runtime/kubeconfig'

export const auditWebhookFlags = {
  'audit-webhook-config-file': { type: 'string' },
  'audit-webhook-mode': { type: 'string' },
  'audit-webhook-initial-backoff': { type: 'string' },
  'audit-webhook-batch-buffer-size': { type: 'string' },
  'audit-webhook-batch-max-size': { type: 'string' },
  'audit-webhook-batch-max-wait': { type: 'string' },
  'audit-webhook-batch-throttle-qps': { type: 'string' },
  'audit-webhook-batch-throttle-burst': { type: 'string' },
  'audit-webhook-truncate-enabled': { type: 'boolean' },
  'audit-webhook-truncate-max-event-size': { type: 'string' },
  'audit-webhook-truncate-max-batch-size': { type: 'string' },
} as const

/** `plugin`: who has the mode, as upstream calls it. Throws an Error in upstream's words. */
export function readAuditMode(plugin: 'log' | 'webhook', text: string | undefined): AuditMode {
  const mode = auditModes.find((one) => one === (text ?? 'batch'))
  if (mode !== undefined) return mode
  throw new Error(
    `Cannot use "--audit-${plugin}-mode ${text}": invalid audit ${plugin} mode ${text}, allowed modes are ${JSON.stringify(auditModes.join(','))}`,
  )
}

/** By their names; what is not given is as upstream has it. Throws an Error in words. */
export function readAuditBatches(values: Readonly<Record<string, unknown>>): AuditBatchOptions {
  const read = (flag: string, otherwise: number, numberOf: (text: string) => number | undefined): number => {
    const value = values[flag]
    if (typeof value !== 'string') return otherwise
    const found = numberOf(value)
    if (found !== undefined) return found
    const wanted = numberOf === milliseconds ? 'a duration such as 500ms or 30s' : 'a number above 0'
    throw new Error(`Cannot read "--${flag} ${value}": ${wanted} is expected`)
  }
  const usual = defaultAuditBatches
  const options = {
    bufferSize: read('audit-webhook-batch-buffer-size', usual.bufferSize, whole),
    batchMaxSize: read('audit-webhook-batch-max-size', usual.batchMaxSize, whole),
    batchMaxWaitMs: read('audit-webhook-batch-max-wait', usual.batchMaxWaitMs, milliseconds),
    throttleQps: read('audit-webhook-batch-throttle-qps', usual.throttleQps, positive),
    throttleBurst: read('audit-webhook-batch-throttle-burst', usual.throttleBurst, whole),
    initialBackoffMs: read('audit-webhook-initial-backoff', usual.initialBackoffMs, milliseconds),
  }
  const eventMaxBytes = read('audit-webhook-truncate-max-event-size', defaultTruncation.eventMaxBytes, whole)
  const batchMaxBytes = read('audit-webhook-truncate-max-batch-size', defaultTruncation.batchMaxBytes, whole)
  // A batch that never fits would never go.
  if (options.batchMaxSize > options.bufferSize)
    throw new Error(
      `Cannot use "--audit-webhook-batch-buffer-size ${options.bufferSize}": invalid audit batch webhook max batch size ${options.batchMaxSize}, can't be bigger than buffer size`,
    )
  if (eventMaxBytes > batchMaxBytes)
    throw new Error(
      `Cannot use "--audit-webhook-truncate-max-batch-size ${batchMaxBytes}": it must be at least as large as --audit-webhook-truncate-max-event-size, which is ${eventMaxBytes}`,
    )
  const isTruncating = values['audit-webhook-truncate-enabled'] === true
  return { ...options, ...(isTruncating ? { truncate: { eventMaxBytes, batchMaxBytes } } : {}) }
}

function whole(text: string): number | undefined {
  return /^[1-9]\d*$/.test(text) ? Number(text) : undefined
}

function positive(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) && Number(text) > 0 ? Number(text) : undefined
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** As Go writes them: `1m30s`. */
function milliseconds(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  return text.matchAll(/([\d.]+)(ms|s|m|h)/g).reduce((sum, [, count, unit]) => sum + Number(count) * unitsMs[unit!]!, 0)
}

export interface AuditWebhook {
  readonly batches: AuditBatches
  readonly sink: AuditSink
  readonly transport: AsyncDisposable
}

/** `file`: a kubeconfig. */
export async function openAuditWebhook(
  scope: Scope,
  file: string,
  {
    options = defaultAuditBatches,
    mode = 'batch',
    lost,
  }: {
    readonly options?: AuditBatchOptions | undefined
    readonly mode?: AuditMode | undefined
    readonly lost: Counter
  },
): Promise<AuditWebhook> {
  const access = await parseKubeconfig(await readFile(file, 'utf8'))
  const transport = createHttpsTransport(access)
  const path = pathOf(access)
  const headers = { 'content-type': 'application/json' }
  const send: SendAudit = async (body, signal) => {
    try {
      const { status, body: answer } = await transport.send({ method: 'POST', path, headers, body, signal })
      await readBody(answer)
      if (status < 300) return 'sent'
      return status === 429 || status >= 500 ? 'may repeat' : 'refused'
    } catch {
      return 'may repeat'
    }
  }
  const batches = new AuditBatches({ clock: scope.clock, log: scope.log, send, options, lost })
  return { batches, sink: mode === 'batch' ? batches.add : waitingSink(mode, batches.sendNow), transport }
}

/** What is asked of a service at the server of its kubeconfig. */
export function pathOf({ server }: ClusterAccess): string {
  const { pathname, search } = new URL(server)
  return `${pathname}${search}`
}
