// The files that say how the API servers of this host guard themselves: upstream's flags name them, and what they say holds for
// every cluster of the server.

import { readFile } from 'node:fs/promises'
import type { AuditPolicy } from '@aksel/api/audit-policy'
import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import type { AuthorizationConfiguration } from '@aksel/api/authorization-configuration'
import type { AuditBatchOptions } from '@aksel/apiserver/audit/batches'
import { everyStagePolicy, readAuditPolicy } from '@aksel/apiserver/audit/policy'
import type { AuditMode, AuditSink } from '@aksel/apiserver/audit/event'
import { readAuthenticationConfiguration } from '@aksel/apiserver/authentication/structured/read-configuration'
import { readAuthorizationConfiguration } from '@aksel/apiserver/authorization/configuration'
import type { ReviewServices } from '@aksel/apiserver/authorization/configured-authorizer'
import type { AskReview } from '@aksel/apiserver/authorization/webhook-authorizer'
import type { Encryption } from '@aksel/apiserver/encryption/encryption'
import { defaultSeatLimits, type SeatLimits } from '@aksel/apiserver/in-flight'
import { Counter } from '@aksel/apiserver/metrics'
import type { Scope } from '@aksel/base/scope'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig, type ClusterAccess } from '@aksel/runtime/kubeconfig'
import { auditWebhookFlags, openAuditWebhook, pathOf } from './audit-webhook.ts'
import { followEncryption } from './encryption-file.ts'
import { followFile, type FollowedFile } from './followed-file.ts'

/** By upstream's names. Paths are absolute. */
export interface ApiServerFlags {
  readonly auditPolicyFile?: string
  readonly auditWebhookConfigFile?: string
  readonly auditWebhookMode?: AuditMode
  /** Nothing is done that could not be recorded: without a policy file that leaves no stage out. */
  readonly auditIsStrict?: boolean
  /** Upstream's defaults when absent. */
  readonly auditWebhookBatches?: AuditBatchOptions
  readonly authenticationConfig?: string
  readonly authorizationConfig?: string
  readonly encryptionProviderConfig?: string
  readonly requestsMax?: number
  readonly mutatingRequestsMax?: number
}

export const apiServerFlags = {
  'audit-policy-file': { type: 'string' },
  ...auditWebhookFlags,
  'authentication-config': { type: 'string' },
  'authorization-config': { type: 'string' },
  'encryption-provider-config': { type: 'string' },
  'max-requests-inflight': { type: 'string' },
  'max-mutating-requests-inflight': { type: 'string' },
} as const

export interface Authorization {
  readonly configuration: AuthorizationConfiguration
  readonly services: ReviewServices
}

export interface ApiServerFiles extends AsyncDisposable {
  readonly auditPolicy?: AuditPolicy
  /** Sends on what the audit log is given too. */
  readonly auditWebhook?: AuditSink
  /** Events that were lost, by who lost them: the webhook's part, or the log. */
  readonly auditErrors?: Counter
  /** Who is believed beside the issuers of each cluster. Read again when the file changes, as those below. */
  readonly authentication?: FollowedFile<AuthenticationConfiguration>
  readonly authorization?: FollowedFile<Authorization>
  readonly encryption?: FollowedFile<Encryption>
  /** Together the seats of flow control. */
  readonly seats?: SeatLimits
}

export interface OpenedFiles extends ApiServerFiles {
  readonly auditErrors: Counter
}

/** Rejects with the flag's name and what is wrong with its file. */
export async function openApiServerFiles(scope: Scope, flags: ApiServerFlags): Promise<OpenedFiles> {
  await using opened = new AsyncDisposableStack()
  const auditErrors = new Counter()
  const read = <T>(
    flag: string,
    path: string | undefined,
    open: (path: string) => Promise<T>,
  ): Promise<T | undefined> => (path === undefined ? Promise.resolve(undefined) : ofFlag(flag, path, () => open(path)))
  const auditPolicy = await read('audit-policy-file', flags.auditPolicyFile, async (path) =>
    readAuditPolicy(await text(path)),
  )
  const policy = auditPolicy ?? (flags.auditIsStrict === true ? everyStagePolicy : undefined)
  const webhook = await read('audit-webhook-config-file', flags.auditWebhookConfigFile, (path) =>
    openAuditWebhook(scope, path, {
      options: flags.auditWebhookBatches,
      mode: flags.auditWebhookMode,
      lost: auditErrors,
    }),
  )
  if (webhook !== undefined) {
    opened.use(webhook.transport)
    opened.use(webhook.batches)
  }
  const authentication = await read('authentication-config', flags.authenticationConfig, (path) =>
    followFile(scope, path, readAuthenticationConfiguration),
  )
  if (authentication !== undefined) opened.use(authentication)
  const authorization = await read('authorization-config', flags.authorizationConfig, (path) =>
    followFile(scope, path, async (content) => authorizationOf(await readAuthorizationConfiguration(content))),
  )
  if (authorization !== undefined) opened.use(authorization)
  const encryption = await read('encryption-provider-config', flags.encryptionProviderConfig, (path) =>
    followEncryption(scope, path),
  )
  if (encryption !== undefined) opened.use(encryption)
  const resources = opened.move()
  return {
    auditErrors,
    ...(policy === undefined ? {} : { auditPolicy: policy }),
    ...(webhook === undefined ? {} : { auditWebhook: webhook.sink }),
    ...(authentication === undefined ? {} : { authentication }),
    ...(authorization === undefined ? {} : { authorization }),
    ...(encryption === undefined ? {} : { encryption }),
    seats: {
      readingMax: flags.requestsMax ?? defaultSeatLimits.readingMax,
      mutatingMax: flags.mutatingRequestsMax ?? defaultSeatLimits.mutatingMax,
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** Each webhook's service, found by its kubeconfig. */
async function authorizationOf(configuration: AuthorizationConfiguration): Promise<Authorization> {
  const services = new Map<string, AskReview>()
  for (const { name, webhook } of configuration.authorizers) {
    const path = webhook?.connectionInfo.kubeConfigFile
    if (path !== undefined) services.set(name, reviewService(await parseKubeconfig(await text(path))))
  }
  return { configuration, services: (name) => services.get(name)! }
}

function reviewService(access: ClusterAccess): AskReview {
  const transport = createHttpsTransport(access)
  const path = pathOf(access)
  return async (review, signal) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const body = Buffer.from(JSON.stringify(review))
    const response = await transport.send({ method: 'POST', path, headers, body, signal })
    const answer = Buffer.from(await readBody(response.body)).toString()
    return { code: response.status, body: response.status < 300 ? (JSON.parse(answer) as unknown) : undefined }
  }
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
