// The files that say how the API servers of this host guard themselves: upstream's flags name them, and what they say holds for
// every cluster of the server.

import { readFile } from 'node:fs/promises'
import type { AuditPolicy } from '@aksel/api/audit-policy'
import { AuditBatches, defaultAuditBatches, defaultTruncation, type SendAudit } from '@aksel/apiserver/audit/batches'
import { readAuditPolicy } from '@aksel/apiserver/audit/policy'
import type { AuditSink } from '@aksel/apiserver/audit/event'
import type { Scope } from '@aksel/base/scope'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig } from '@aksel/runtime/kubeconfig'

/** By upstream's names. Paths are absolute. */
export interface ApiServerFlags {
  readonly auditPolicyFile?: string
  readonly auditWebhookConfigFile?: string
  readonly auditWebhookTruncate?: boolean
}

export const apiServerFlags = {
  'audit-policy-file': { type: 'string' },
  'audit-webhook-config-file': { type: 'string' },
  'audit-webhook-truncate-enabled': { type: 'boolean' },
} as const

export interface ApiServerFiles extends AsyncDisposable {
  readonly auditPolicy?: AuditPolicy
  /** Sends on what the audit log is given too. */
  readonly auditWebhook?: AuditSink
}

/** Rejects with the flag's name and what is wrong with its file. */
export async function openApiServerFiles(scope: Scope, flags: ApiServerFlags): Promise<ApiServerFiles> {
  const policy = flags.auditPolicyFile
  const webhook = flags.auditWebhookConfigFile
  const auditPolicy =
    policy === undefined
      ? undefined
      : await ofFlag('audit-policy-file', policy, async () => readAuditPolicy(await text(policy)))
  const opened =
    webhook === undefined
      ? undefined
      : await ofFlag('audit-webhook-config-file', webhook, () =>
          openAuditWebhook(scope, webhook, flags.auditWebhookTruncate === true),
        )
  return {
    ...(auditPolicy === undefined ? {} : { auditPolicy }),
    ...(opened === undefined ? {} : { auditWebhook: opened.batches.add }),
    async [Symbol.asyncDispose]() {
      await opened?.batches[Symbol.asyncDispose]()
      await opened?.transport[Symbol.asyncDispose]()
    },
  }
}

async function openAuditWebhook(
  scope: Scope,
  path: string,
  truncates: boolean,
): Promise<{ readonly batches: AuditBatches; readonly transport: AsyncDisposable }> {
  const access = await parseKubeconfig(await text(path))
  const transport = createHttpsTransport(access)
  const { pathname } = new URL(access.server)
  const send: SendAudit = async (body) => {
    try {
      const headers = { 'content-type': 'application/json' }
      const { status, body: answer } = await transport.send({ method: 'POST', path: pathname, headers, body })
      await readBody(answer)
      if (status < 300) return 'sent'
      return status === 429 || status >= 500 ? 'may repeat' : 'refused'
    } catch {
      return 'may repeat'
    }
  }
  const options = { ...defaultAuditBatches, ...(truncates ? { truncate: defaultTruncation } : {}) }
  return { batches: new AuditBatches({ clock: scope.clock, log: scope.log, send, options }), transport }
}

function text(path: string): Promise<string> {
  return readFile(path, 'utf8')
}

async function ofFlag<T>(flag: string, path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw new Error(`Cannot use "--${flag} ${path}": ${(error as Error).message}`, { cause: error })
  }
}
